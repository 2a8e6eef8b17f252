package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azqueue/sas"
)

// Queue storage with azqueue.
func queues() {
	account := must(azqueue.NewServiceClientFromConnectionString(os.Getenv("STORAGE"), &azqueue.ClientOptions{ClientOptions: once()}))
	fresh := func(ctx context.Context, options *azqueue.CreateOptions) (*azqueue.QueueClient, string) {
		made++
		name := fmt.Sprintf("go-%d-%d", os.Getpid(), made)
		queue := account.NewQueueClient(name)
		must(queue.Create(ctx, options))
		return queue, name
	}
	count := func(ctx context.Context, queue *azqueue.QueueClient) int32 {
		return *must(queue.GetProperties(ctx, nil)).ApproximateMessagesCount
	}

	scenario("creates, describes, lists and deletes queues", func(ctx context.Context) {
		queue, name := fresh(ctx, &azqueue.CreateOptions{Metadata: map[string]*string{"color": to("red")}})
		must(queue.SetMetadata(ctx, &azqueue.SetMetadataOptions{Metadata: map[string]*string{"color": to("blue")}}))
		options := &azqueue.ListQueuesOptions{Prefix: &name, Include: azqueue.ListQueuesInclude{Metadata: true}}
		listed := must(account.NewListQueuesPager(options).NextPage(ctx)).Queues
		equal(1, len(listed))
		equal("blue", *listed[0].Metadata["color"])
		_, err := queue.Create(ctx, nil)
		refusedWith(http.StatusConflict, err, "QueueAlreadyExists")
		must(queue.Delete(ctx, nil))
		_, err = queue.GetProperties(ctx, nil)
		refusedWith(http.StatusNotFound, err, "QueueNotFound")
	})

	scenario("sends, peeks, receives and deletes in order, any text", func(ctx context.Context) {
		queue, _ := fresh(ctx, nil)
		wanted := []string{"plain", "<xml> & 'quotes'", "æ–—😀", "line\nbreak\ttab", " spaces "}
		for _, text := range wanted {
			must(queue.EnqueueMessage(ctx, text, nil))
		}
		equal(int32(len(wanted)), count(ctx, queue))
		equal(len(wanted), len(must(queue.PeekMessages(ctx, &azqueue.PeekMessagesOptions{NumberOfMessages: to(int32(32))})).Messages))
		received := must(queue.DequeueMessages(ctx, &azqueue.DequeueMessagesOptions{NumberOfMessages: to(int32(32))})).Messages
		var texts []string
		for _, message := range received {
			texts = append(texts, *message.MessageText)
			equal(int64(1), *message.DequeueCount)
			must(queue.DeleteMessage(ctx, *message.MessageID, *message.PopReceipt, nil))
		}
		equal(wanted, texts)
		equal(int32(0), count(ctx, queue))
	})

	scenario("updates a message, and its receipt with it", func(ctx context.Context) {
		queue, _ := fresh(ctx, nil)
		sent := must(queue.EnqueueMessage(ctx, "first", &azqueue.EnqueueMessageOptions{VisibilityTimeout: to(int32(3600))})).Messages[0]
		must(queue.UpdateMessage(ctx, *sent.MessageID, *sent.PopReceipt, "second", nil))
		_, err := queue.DeleteMessage(ctx, *sent.MessageID, *sent.PopReceipt, nil)
		refusedWith(http.StatusNotFound, err)
		message := must(queue.DequeueMessage(ctx, nil)).Messages[0]
		equal("second", *message.MessageText)
		must(queue.DeleteMessage(ctx, *message.MessageID, *message.PopReceipt, nil))
	})

	scenario("shows messages again, and lets them expire", func(ctx context.Context) {
		queue, _ := fresh(ctx, nil)
		must(queue.EnqueueMessage(ctx, "again", nil))
		must(queue.EnqueueMessage(ctx, "short", &azqueue.EnqueueMessageOptions{TimeToLive: to(int32(1))}))
		must(queue.DequeueMessage(ctx, &azqueue.DequeueMessageOptions{VisibilityTimeout: to(int32(1))}))
		time.Sleep(1600 * time.Millisecond)
		left := must(queue.DequeueMessages(ctx, &azqueue.DequeueMessagesOptions{NumberOfMessages: to(int32(32))})).Messages
		equal(1, len(left))
		equal("again 2", fmt.Sprint(*left[0].MessageText, " ", *left[0].DequeueCount))
	})

	scenario("clears a queue, and refuses what is too large", func(ctx context.Context) {
		queue, _ := fresh(ctx, nil)
		must(queue.EnqueueMessage(ctx, strings.Repeat("x", 64*1024), nil))
		must(queue.ClearMessages(ctx, nil))
		equal(int32(0), count(ctx, queue))
		_, err := queue.EnqueueMessage(ctx, strings.Repeat("x", 64*1024+1), nil)
		refusedWith(http.StatusRequestEntityTooLarge, err, "RequestBodyTooLarge")
	})

	scenario("gives access by signature and by stored policy", func(ctx context.Context) {
		_, name := fresh(ctx, nil)
		account := must(azqueue.NewServiceClientFromConnectionString(os.Getenv("STORAGE_TLS"), nil))
		queue := account.NewQueueClient(name) // what this SDK signs is for HTTPS
		url := must(queue.GetSASURL(sas.QueuePermissions{Add: true}, inAnHour(), nil))
		add := must(azqueue.NewQueueClientWithNoCredential(url, &azqueue.ClientOptions{ClientOptions: once()}))
		must(add.EnqueueMessage(ctx, "from outside", nil))
		_, err := add.PeekMessage(ctx, nil)
		refusedWith(http.StatusForbidden, err, "AuthorizationPermissionMismatch")
		access := &azqueue.AccessPolicy{Permission: to("raup"), Start: to(time.Now().Add(-time.Minute)), Expiry: to(inAnHour())}
		policies := []*azqueue.SignedIdentifier{{ID: to("p"), AccessPolicy: access}}
		must(queue.SetAccessPolicy(ctx, &azqueue.SetAccessPolicyOptions{QueueACL: policies}))
		stored := must(queue.GetAccessPolicy(ctx, nil)).SignedIdentifiers
		equal("raup", *stored[0].AccessPolicy.Permission)
		url = must(account.GetSASURL(sas.AccountResourceTypes{Service: true, Container: true, Object: true},
			sas.AccountPermissions{Read: true, Process: true}, inAnHour(), nil))
		whole := must(azqueue.NewServiceClientWithNoCredential(url, nil))
		equal("from outside", *must(whole.NewQueueClient(name).DequeueMessage(ctx, nil)).Messages[0].MessageText)
	})
}
