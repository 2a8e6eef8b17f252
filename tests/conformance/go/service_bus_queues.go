package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// Queues of Service Bus with azservicebus: sending, settling, peeking, scheduling, deferring, dead letters.
func serviceBusQueues() {
	scenario("keeps every property of a message", func(ctx context.Context) {
		queue := freshQueue(ctx, nil)
		wanted := &azservicebus.Message{
			Body:                  []byte("æ–—"),
			MessageID:             to("id-1"),
			ContentType:           to("text/plain"),
			CorrelationID:         to("correlation"),
			Subject:               to("subject"),
			To:                    to("to"),
			ReplyTo:               to("reply"),
			ReplyToSessionID:      to("reply-session"),
			PartitionKey:          to("session"),
			SessionID:             to("session"),
			TimeToLive:            to(time.Minute),
			ApplicationProperties: map[string]any{"text": "x", "int": int64(7), "part": 0.25, "yes": true},
		}
		try(newSender(queue).SendMessage(ctx, wanted, nil))
		receiver := newReceiver(queue, nil)
		got := receive(ctx, receiver, 1)[0]
		equal(wanted, got.Message())
		equal(uint32(1), got.DeliveryCount) // this SDK counts the delivery that it is
		equal(azservicebus.MessageStateActive, got.State)
		check(*got.SequenceNumber > 0, "no sequence number")
		check(got.LockedUntil.After(time.Now()), "the lock is over")
		equal(got.EnqueuedTime.Add(time.Minute), *got.ExpiresAt)
		try(receiver.CompleteMessage(ctx, got, nil))
	})

	scenario("sends one and a batch, in order", func(ctx context.Context) {
		queue := freshQueue(ctx, nil)
		sender := newSender(queue)
		wanted := []string{"0"}
		try(sender.SendMessage(ctx, &azservicebus.Message{Body: []byte("0")}, nil))
		batch := must(sender.NewMessageBatch(ctx, nil))
		for number := 1; number < 100; number++ {
			wanted = append(wanted, fmt.Sprint(number))
			try(batch.AddMessage(&azservicebus.Message{Body: []byte(fmt.Sprint(number))}, nil))
		}
		try(sender.SendMessageBatch(ctx, batch, nil))
		small := must(sender.NewMessageBatch(ctx, &azservicebus.MessageBatchOptions{MaxBytes: 1000}))
		err := small.AddMessage(&azservicebus.Message{Body: bytes.Repeat([]byte("x"), 2000)}, nil)
		check(errors.Is(err, azservicebus.ErrMessageTooLarge), fmt.Sprint(err))
		receiver := newDeleting(queue)
		equal(wanted, texts(receive(ctx, receiver, 100)))
		receiveNone(ctx, receiver)
	})

	scenario("settles in each of the five ways", func(ctx context.Context) {
		queue := freshQueue(ctx, nil)
		send(ctx, queue, "complete", "abandon", "defer", "dead-letter", "delete")
		receiver := newReceiver(queue, nil)
		received := receive(ctx, receiver, 4)
		try(receiver.CompleteMessage(ctx, received[0], nil))
		try(receiver.AbandonMessage(ctx, received[1], &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"changed": int64(1)}}))
		try(receiver.DeferMessage(ctx, received[2], &azservicebus.DeferMessageOptions{PropertiesToModify: map[string]any{"changed": int64(2)}}))
		try(receiver.DeadLetterMessage(ctx, received[3], &azservicebus.DeadLetterOptions{
			Reason: to("R"), ErrorDescription: to("D"), PropertiesToModify: map[string]any{"changed": int64(3)},
		}))
		deferred := must(receiver.ReceiveDeferredMessages(ctx, []int64{*received[2].SequenceNumber}, nil))
		equal(map[string]any{"changed": int64(2)}, deferred[0].ApplicationProperties)
		try(receiver.CompleteMessage(ctx, deferred[0], nil))
		try(receiver.Close(ctx))

		rest := receive(ctx, newDeleting(queue), 2)
		equal([]string{"abandon", "delete"}, texts(rest))
		equal(uint32(2), rest[0].DeliveryCount)
		equal(map[string]any{"changed": int64(1)}, rest[0].ApplicationProperties)

		graveyard := newGraveyard(queue)
		buried := receive(ctx, graveyard, 1)[0]
		equal([]string{"R", "D"}, []string{*buried.DeadLetterReason, *buried.DeadLetterErrorDescription})
		equal(any(int64(3)), buried.ApplicationProperties["changed"])
		try(graveyard.CompleteMessage(ctx, buried, nil))
		equal(0, len(must(graveyard.PeekMessages(ctx, 10, nil))))
	})

	scenario("renews a lock, and knows a lost one", func(ctx context.Context) {
		queue := freshQueue(ctx, nil)
		send(ctx, queue, "x")
		receiver := newReceiver(queue, nil)
		message := receive(ctx, receiver, 1)[0]
		before := *message.LockedUntil
		try(receiver.RenewMessageLock(ctx, message, nil))
		check(!message.LockedUntil.Before(before), "it got shorter")
		try(receiver.CompleteMessage(ctx, message, nil))
		refused(azservicebus.CodeLockLost, receiver.RenewMessageLock(ctx, message, nil))
	})

	scenario("peeks without locking, from a sequence number on", func(ctx context.Context) {
		queue := freshQueue(ctx, nil)
		send(ctx, queue, "a", "b", "c")
		later := []*azservicebus.Message{{Body: []byte("later")}}
		must(newSender(queue).ScheduleMessages(ctx, later, time.Now().Add(time.Hour), nil))
		receiver := newReceiver(queue, nil)
		peeked := must(receiver.PeekMessages(ctx, 10, nil))
		equal([]string{"a", "b", "c", "later"}, texts(peeked))
		equal(azservicebus.MessageStateScheduled, peeked[3].State)
		from := &azservicebus.PeekMessagesOptions{FromSequenceNumber: peeked[1].SequenceNumber}
		equal([]string{"b", "c"}, texts(must(receiver.PeekMessages(ctx, 2, from))))
	})

	scenario("schedules and cancels", func(ctx context.Context) {
		queue := freshQueue(ctx, nil)
		sender := newSender(queue)
		soon := time.Now().Add(1500 * time.Millisecond)
		messages := []*azservicebus.Message{{Body: []byte("a")}, {Body: []byte("b")}, {Body: []byte("c")}}
		numbers := must(sender.ScheduleMessages(ctx, messages, soon, nil))
		equal(3, len(numbers))
		try(sender.CancelScheduledMessages(ctx, numbers[1:2], nil))
		refused(azservicebus.CodeNotFound, sender.CancelScheduledMessages(ctx, numbers[1:2], nil))
		equal([]string{"a", "c"}, texts(receive(ctx, newDeleting(queue), 2)))
		check(!time.Now().Before(soon), "they came early")
	})

	scenario("receives several deferred messages, and none that is not deferred", func(ctx context.Context) {
		queue := freshQueue(ctx, nil)
		send(ctx, queue, "a", "b")
		receiver := newReceiver(queue, nil)
		var numbers []int64
		for _, message := range receive(ctx, receiver, 2) {
			try(receiver.DeferMessage(ctx, message, nil))
			numbers = append(numbers, *message.SequenceNumber)
		}
		receiveNone(ctx, receiver)
		deferred := must(receiver.ReceiveDeferredMessages(ctx, numbers, nil))
		equal([]string{"a", "b"}, texts(deferred))
		try(receiver.AbandonMessage(ctx, deferred[0], nil))
		try(receiver.DeadLetterMessage(ctx, deferred[1], nil))
		_, err := receiver.ReceiveDeferredMessages(ctx, numbers[1:], nil)
		refused(azservicebus.CodeNotFound, err)
	})

	scenario("dead-letters after too many deliveries, and when the time to live is over", func(ctx context.Context) {
		queue := freshQueue(ctx, &admin.QueueProperties{MaxDeliveryCount: to(int32(2)), DeadLetteringOnMessageExpiration: to(true)})
		send(ctx, queue, "unlucky")
		short := &azservicebus.Message{Body: []byte("short"), TimeToLive: to(time.Millisecond)}
		try(newSender(queue).SendMessage(ctx, short, nil))
		receiver := newReceiver(queue, nil)
		for delivery := range uint32(2) {
			message := receive(ctx, receiver, 1)[0]
			equal("unlucky", string(message.Body))
			equal(delivery+1, message.DeliveryCount)
			try(receiver.AbandonMessage(ctx, message, nil))
		}
		reasons := map[string]string{}
		for _, dead := range receive(ctx, newGraveyard(queue), 2) {
			reasons[string(dead.Body)] = *dead.DeadLetterReason
		}
		equal(map[string]string{"unlucky": "MaxDeliveryCountExceeded", "short": "TTLExpiredException"}, reasons)
	})

	scenario("waits for what is sent after a receiver has waited in vain", func(ctx context.Context) {
		queue := freshQueue(ctx, nil)
		receiver := newReceiver(queue, nil)
		receiveNone(ctx, receiver)
		done := make(chan error)
		sender, late := newSender(queue), &azservicebus.Message{Body: []byte("late")}
		go func() { done <- sender.SendMessage(ctx, late, nil) }()
		equal([]string{"late"}, texts(receive(ctx, receiver, 1)))
		try(<-done)
	})

	scenario("serves a hundred senders and receivers at once", func(ctx context.Context) {
		queue := freshQueue(ctx, nil)
		work := sync.WaitGroup{}
		found, wrong := make(chan string, 2000), make(chan error, 200)
		for number := range 100 {
			work.Go(func() {
				sender, err := client.NewSender(queue, nil)
				for each := 0; each < 20 && err == nil; each++ {
					err = sender.SendMessage(ctx, &azservicebus.Message{Body: fmt.Appendf(nil, "%d-%d", number, each)}, nil)
				}
				wrong <- errors.Join(err, sender.Close(ctx))
			})
			work.Go(func() {
				receiver, err := client.NewReceiverForQueue(queue, nil)
				for count := 0; count < 20 && err == nil; {
					var messages []*azservicebus.ReceivedMessage
					messages, err = receiver.ReceiveMessages(ctx, 20-count, nil)
					for _, message := range messages {
						err = errors.Join(err, receiver.CompleteMessage(ctx, message, nil))
						found <- string(message.Body)
					}
					count += len(messages)
				}
				wrong <- errors.Join(err, receiver.Close(ctx))
			})
		}
		work.Wait()
		close(found)
		close(wrong)
		for err := range wrong {
			try(err)
		}
		each := map[string]bool{}
		for text := range found {
			each[text] = true
		}
		equal(2000, len(each))
		equal(0, len(must(newReceiver(queue, nil).PeekMessages(ctx, 10, nil))))
	})

	scenario("names its refusals as Azure does", func(ctx context.Context) {
		queue := freshQueue(ctx, nil)
		err := newSender("go-nothing").SendMessage(ctx, &azservicebus.Message{}, nil)
		check(err != nil && strings.Contains(err.Error(), "could not be found"), fmt.Sprint(err))
		large := &azservicebus.Message{Body: bytes.Repeat([]byte("x"), 2_000_000)}
		err = newSender(queue).SendMessage(ctx, large, nil)
		check(errors.Is(err, azservicebus.ErrMessageTooLarge), fmt.Sprint(err))
		forged := strings.Replace(os.Getenv("SERVICEBUS"), "SharedAccessKey=", "SharedAccessKey=not", 1)
		sender := must(newClient(forged, nil).NewSender(queue, nil))
		refused(azservicebus.CodeUnauthorizedAccess, sender.SendMessage(ctx, &azservicebus.Message{}, nil))
	})
}
