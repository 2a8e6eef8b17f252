package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// The administration of Service Bus with azservicebus/admin, which speaks HTTPS.
func serviceBusAdministration() {
	scenario("tells about the namespace", func(ctx context.Context) {
		properties := must(administration.GetNamespaceProperties(ctx, nil))
		check(properties.Name != "" && !properties.CreatedTime.IsZero(), fmt.Sprint(properties))
	})

	scenario("creates a queue with every property, and reads it back", func(ctx context.Context) {
		wanted := admin.QueueProperties{
			LockDuration:                        to("PT45S"),
			MaxSizeInMegabytes:                  to(int32(2048)),
			RequiresDuplicateDetection:          to(true),
			RequiresSession:                     to(true),
			DefaultMessageTimeToLive:            to("P1D"),
			DeadLetteringOnMessageExpiration:    to(true),
			DuplicateDetectionHistoryTimeWindow: to("PT2M"),
			MaxDeliveryCount:                    to(int32(7)),
			EnableBatchedOperations:             to(false),
			Status:                              to(admin.EntityStatusActive),
			AutoDeleteOnIdle:                    to("PT1H"),
			UserMetadata:                        to("<what> & \"ever\""),
			AuthorizationRules: []admin.AuthorizationRule{{
				KeyName: to("own"), PrimaryKey: to("cHJpbWFyeQ=="), SecondaryKey: to("c2Vjb25kYXJ5"),
				AccessRights: []admin.AccessRight{admin.AccessRightSend, admin.AccessRightListen},
			}},
		}
		got := must(administration.GetQueue(ctx, freshQueue(ctx, &wanted), nil))
		rules := got.AuthorizationRules
		check(len(rules) == 1 && *rules[0].KeyName == "own" && *rules[0].PrimaryKey == "cHJpbWFyeQ==", fmt.Sprint(rules))
		equal(2, len(rules[0].AccessRights))
		equal([]any{"PT45S", int32(2048), true, true, "P1D", true, "PT2M", int32(7), false, admin.EntityStatusActive, "PT1H", "<what> & \"ever\""},
			[]any{*got.LockDuration, *got.MaxSizeInMegabytes, *got.RequiresDuplicateDetection, *got.RequiresSession,
				*got.DefaultMessageTimeToLive, *got.DeadLetteringOnMessageExpiration, *got.DuplicateDetectionHistoryTimeWindow,
				*got.MaxDeliveryCount, *got.EnableBatchedOperations, *got.Status, *got.AutoDeleteOnIdle, *got.UserMetadata})
	})

	scenario("updates, lists and deletes queues", func(ctx context.Context) {
		name := freshQueue(ctx, nil)
		queue := must(administration.GetQueue(ctx, name, nil))
		queue.MaxDeliveryCount = to(int32(3))
		must(administration.UpdateQueue(ctx, name, queue.QueueProperties, nil))
		equal(int32(3), *must(administration.GetQueue(ctx, name, nil)).MaxDeliveryCount)
		listed := false
		for pager := administration.NewListQueuesPager(&admin.ListQueuesOptions{MaxPageSize: 5}); pager.More(); {
			for _, each := range must(pager.NextPage(ctx)).Queues {
				listed = listed || each.QueueName == name
			}
		}
		check(listed, "it is not listed")
		must(administration.DeleteQueue(ctx, name, nil))
		gone, err := administration.GetQueue(ctx, name, nil)
		check(gone == nil && err == nil, fmt.Sprint(err)) // nil is this SDK's "not found"
	})

	scenario("counts messages by their state", func(ctx context.Context) {
		name := freshQueue(ctx, nil)
		send(ctx, name, "a", "b", "c")
		later := []*azservicebus.Message{{Body: []byte("later")}}
		must(newSender(name).ScheduleMessages(ctx, later, time.Now().Add(time.Hour), nil))
		receiver := newReceiver(name, nil)
		try(receiver.DeadLetterMessage(ctx, receive(ctx, receiver, 1)[0], nil))
		counts := must(administration.GetQueueRuntimeProperties(ctx, name, nil))
		equal([]int64{2, 1, 1, 4}, []int64{int64(counts.ActiveMessageCount), int64(counts.ScheduledMessageCount),
			int64(counts.DeadLetterMessageCount), counts.TotalMessageCount})
		check(counts.SizeInBytes > 0, "no size")
	})

	scenario("forwards to another queue", func(ctx context.Context) {
		target := freshQueue(ctx, nil)
		source := freshQueue(ctx, &admin.QueueProperties{ForwardTo: &target})
		send(ctx, source, "on its way")
		equal([]string{"on its way"}, texts(receive(ctx, newDeleting(target), 1)))
	})

	scenario("refuses what is there already, what is missing and what is malformed", func(ctx context.Context) {
		name := freshQueue(ctx, nil)
		_, err := administration.CreateQueue(ctx, name, nil)
		refusedWith(http.StatusConflict, err)
		_, err = administration.DeleteQueue(ctx, "go-nothing", nil)
		refusedWith(http.StatusNotFound, err)
		malformed := &admin.CreateQueueOptions{Properties: &admin.QueueProperties{LockDuration: to("PT10M")}}
		_, err = administration.CreateQueue(ctx, name+"-x", malformed)
		refusedWith(http.StatusBadRequest, err)
	})
}

// refusedWith checks that an error is a reply with this status, and with this code of Azure's where one is given.
func refusedWith(status int, err error, code ...string) {
	var reply *azcore.ResponseError
	if !errors.As(err, &reply) || reply.StatusCode != status || (len(code) > 0 && reply.ErrorCode != code[0]) {
		fail("expected %d %v, got %v", status, code, err)
	}
}
