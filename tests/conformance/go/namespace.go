package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// The namespace that the Service Bus programs share: clients, and queues and topics of one's own.

var (
	client         = newClient(os.Getenv("SERVICEBUS"), nil)
	administration = newAdministration()
	made           int
)

func newClient(connectionString string, options *azservicebus.ClientOptions) *azservicebus.Client {
	if options == nil {
		options = &azservicebus.ClientOptions{}
	}
	options.RetryOptions = azservicebus.RetryOptions{MaxRetries: -1}
	return must(azservicebus.NewClientFromConnectionString(connectionString, options))
}

func newAdministration() *admin.Client {
	options := &admin.ClientOptions{}
	options.Retry = policy.RetryOptions{MaxRetries: -1}
	return must(admin.NewClientFromConnectionString(os.Getenv("SERVICEBUS_ADMINISTRATION"), options))
}

// freshQueue makes a queue that nobody else uses, and returns its name.
func freshQueue(ctx context.Context, properties *admin.QueueProperties) string {
	made++
	name := fmt.Sprintf("go-%d-%d", os.Getpid(), made)
	must(administration.CreateQueue(ctx, name, &admin.CreateQueueOptions{Properties: properties}))
	return name
}

// freshTopic makes a topic that nobody else uses, with subscriptions, and returns its name.
func freshTopic(ctx context.Context, subscriptions ...string) string {
	made++
	name := fmt.Sprintf("go-%d-%d", os.Getpid(), made)
	must(administration.CreateTopic(ctx, name, nil))
	for _, subscription := range subscriptions {
		must(administration.CreateSubscription(ctx, name, subscription, nil))
	}
	return name
}

func newSender(queue string) *azservicebus.Sender {
	return must(client.NewSender(queue, nil))
}

func newReceiver(queue string, options *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	return must(client.NewReceiverForQueue(queue, options))
}

func newDeleting(queue string) *azservicebus.Receiver {
	return newReceiver(queue, &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
}

func newGraveyard(queue string) *azservicebus.Receiver {
	return newReceiver(queue, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
}

func send(ctx context.Context, queue string, texts ...string) {
	sender := newSender(queue)
	for _, text := range texts {
		try(sender.SendMessage(ctx, &azservicebus.Message{Body: []byte(text)}, nil))
	}
	try(sender.Close(ctx))
}

// receiving is what queues' and sessions' receivers have in common.
type receiving interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}

// receive gets exactly this many messages, in as many calls as it takes.
func receive(ctx context.Context, receiver receiving, count int) []*azservicebus.ReceivedMessage {
	var received []*azservicebus.ReceivedMessage
	for len(received) < count {
		waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
		messages, err := receiver.ReceiveMessages(waiting, count-len(received), nil)
		cancel()
		if err != nil {
			fail("%d messages came instead of %d: %v", len(received), count, err)
		}
		received = append(received, messages...)
	}
	return received
}

// receiveNone waits a moment in vain.
func receiveNone(ctx context.Context, receiver receiving) {
	waiting, cancel := context.WithTimeout(ctx, 700*time.Millisecond)
	defer cancel()
	messages, err := receiver.ReceiveMessages(waiting, 1, nil)
	equal(0, len(messages))
	check(errors.Is(err, context.DeadlineExceeded), fmt.Sprintf("ended with %v", err))
}

func texts(messages []*azservicebus.ReceivedMessage) []string {
	found := []string{}
	for _, message := range messages {
		found = append(found, string(message.Body))
	}
	return found
}

// refused checks that an error is one of Service Bus with this code.
func refused(code azservicebus.Code, err error) {
	var reason *azservicebus.Error
	if !errors.As(err, &reason) || reason.Code != code {
		fail("expected %s, got %v", code, err)
	}
}
