package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// Sessions of Service Bus with azservicebus.
func serviceBusSessions() {
	sent := func(ctx context.Context, queue string, pairs ...[2]string) {
		sender := newSender(queue)
		for _, pair := range pairs {
			try(sender.SendMessage(ctx, &azservicebus.Message{SessionID: &pair[0], Body: []byte(pair[1])}, nil))
		}
	}
	fresh := func(ctx context.Context) string {
		return freshQueue(ctx, &admin.QueueProperties{RequiresSession: to(true)})
	}

	scenario("receives one session in order and leaves the others", func(ctx context.Context) {
		queue := fresh(ctx)
		sent(ctx, queue, [2]string{"a", "1"}, [2]string{"b", "2"}, [2]string{"a", "3"})
		session := must(client.AcceptSessionForQueue(ctx, queue, "a", nil))
		equal("a", session.SessionID())
		check(session.LockedUntil().After(time.Now()), "the lock is over")
		received := receive(ctx, session, 2)
		equal([]string{"1", "3"}, texts(received))
		for _, message := range received {
			try(session.CompleteMessage(ctx, message, nil))
		}
		receiveNone(ctx, session)
		try(session.Close(ctx))
	})

	scenario("accepts the next session until there is none", func(ctx context.Context) {
		queue := fresh(ctx)
		sent(ctx, queue, [2]string{"a", "1"}, [2]string{"b", "2"})
		first := must(client.AcceptNextSessionForQueue(ctx, queue, nil))
		second := must(client.AcceptNextSessionForQueue(ctx, queue, nil))
		found := []string{first.SessionID(), second.SessionID()}
		slices.Sort(found)
		equal([]string{"a", "b"}, found)
		waiting, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := client.AcceptNextSessionForQueue(waiting, queue, nil)
		var reason *azservicebus.Error
		over := errors.As(err, &reason) && reason.Code == azservicebus.CodeTimeout
		check(over || errors.Is(err, context.DeadlineExceeded), fmt.Sprint(err)) // whichever is told first
		try(first.Close(ctx))
		try(second.Close(ctx))
	})

	scenario("keeps the state of a session", func(ctx context.Context) {
		queue := fresh(ctx)
		session := must(client.AcceptSessionForQueue(ctx, queue, "state", nil))
		equal(0, len(must(session.GetSessionState(ctx, nil))))
		try(session.SetSessionState(ctx, []byte("step 2"), nil))
		try(session.Close(ctx))
		session = must(client.AcceptSessionForQueue(ctx, queue, "state", nil))
		equal("step 2", string(must(session.GetSessionState(ctx, nil))))
		try(session.SetSessionState(ctx, nil, nil))
		equal(0, len(must(session.GetSessionState(ctx, nil))))
		try(session.Close(ctx))
	})

	scenario("refuses a session that somebody else holds, and renews its lock", func(ctx context.Context) {
		queue := fresh(ctx)
		session := must(client.AcceptSessionForQueue(ctx, queue, "held", nil))
		_, err := client.AcceptSessionForQueue(ctx, queue, "held", nil)
		check(err != nil && strings.Contains(err.Error(), "session-cannot-be-locked"), fmt.Sprint(err))
		before := session.LockedUntil()
		try(session.RenewSessionLock(ctx, nil))
		check(!session.LockedUntil().Before(before), "it got shorter")
		try(session.Close(ctx))
		session = must(client.AcceptSessionForQueue(ctx, queue, "held", nil))
		try(session.Close(ctx))
	})

	scenario("settles, defers, peeks and dead-letters inside a session", func(ctx context.Context) {
		queue := fresh(ctx)
		sent(ctx, queue, [2]string{"s", "complete"}, [2]string{"s", "abandon"}, [2]string{"s", "defer"}, [2]string{"s", "bury"})
		session := must(client.AcceptSessionForQueue(ctx, queue, "s", nil))
		equal([]string{"complete", "abandon", "defer", "bury"}, texts(must(session.PeekMessages(ctx, 10, nil))))
		received := receive(ctx, session, 4)
		try(session.CompleteMessage(ctx, received[0], nil))
		try(session.DeferMessage(ctx, received[2], nil))
		try(session.DeadLetterMessage(ctx, received[3], nil))
		try(session.AbandonMessage(ctx, received[1], nil))
		again := receive(ctx, session, 1)[0]
		equal("abandon", string(again.Body))
		equal(uint32(2), again.DeliveryCount)
		deferred := must(session.ReceiveDeferredMessages(ctx, []int64{*received[2].SequenceNumber}, nil))
		try(session.CompleteMessage(ctx, deferred[0], nil))
		try(session.CompleteMessage(ctx, again, nil))
		try(session.Close(ctx))
		buried := receive(ctx, newGraveyard(queue), 1)[0]
		equal("s bury", fmt.Sprint(*buried.SessionID, " ", string(buried.Body)))
	})

	scenario("lists the sessions of a queue", func(ctx context.Context) {
		queue := fresh(ctx)
		sent(ctx, queue, [2]string{"a", "1"}, [2]string{"b", "2"}, [2]string{"b", "3"})
		var found []string
		for pager := client.NewListSessionsForQueuePager(queue, nil); pager.More(); {
			for _, id := range must(pager.NextPage(ctx)).Sessions {
				found = append(found, id)
			}
		}
		slices.Sort(found)
		equal([]string{"a", "b"}, found)
	})

	scenario("refuses what does not fit the queue's sessions", func(ctx context.Context) {
		queue := fresh(ctx)
		err := newSender(queue).SendMessage(ctx, &azservicebus.Message{Body: []byte("no session")}, nil)
		check(err != nil, "it was sent")
		_, err = newReceiver(queue, nil).ReceiveMessages(ctx, 1, nil)
		check(err != nil && strings.Contains(err.Error(), "amqp:not-allowed"), fmt.Sprint(err))
		_, err = client.AcceptSessionForQueue(ctx, freshQueue(ctx, nil), "s", nil)
		check(err != nil && strings.Contains(err.Error(), "amqp:not-allowed"), fmt.Sprint(err))
	})
}
