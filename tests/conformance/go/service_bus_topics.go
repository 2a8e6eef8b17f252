package main

import (
	"context"
	"net/http"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
)

// Topics of Service Bus with azservicebus: subscriptions, filters, actions, and their administration.
func serviceBusTopics() {
	waiting := func(ctx context.Context, topic, subscription string) []string {
		receiver := must(client.NewReceiverForSubscription(topic, subscription, nil))
		return texts(must(receiver.PeekMessages(ctx, 100, nil)))
	}

	scenario("gives every subscription its own copy", func(ctx context.Context) {
		topic := freshTopic(ctx, "one", "two")
		send(ctx, topic, "a", "b")
		receiver := must(client.NewReceiverForSubscription(topic, "one", nil))
		received := receive(ctx, receiver, 2)
		equal([]string{"a", "b"}, texts(received))
		try(receiver.CompleteMessage(ctx, received[0], nil))
		try(receiver.DeadLetterMessage(ctx, received[1], &azservicebus.DeadLetterOptions{Reason: to("R")}))
		options := &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter}
		graveyard := must(client.NewReceiverForSubscription(topic, "one", options))
		equal("R", *receive(ctx, graveyard, 1)[0].DeadLetterReason)
		equal([]string{}, waiting(ctx, topic, "one"))
		equal([]string{"a", "b"}, waiting(ctx, topic, "two"))
	})

	scenario("filters by SQL and correlation, and changes messages by actions", func(ctx context.Context) {
		topic := freshTopic(ctx)
		with := func(subscription string, filter admin.RuleFilter, action admin.RuleAction) {
			rule := &admin.RuleProperties{Name: "own", Filter: filter, Action: action}
			must(administration.CreateSubscription(ctx, topic, subscription,
				&admin.CreateSubscriptionOptions{Properties: &admin.SubscriptionProperties{DefaultRule: rule}}))
		}
		with("sql", &admin.SQLFilter{
			Expression: "price > @least AND sys.Label LIKE 'or%' AND color IN ('red', 'blue')",
			Parameters: map[string]any{"@least": 10},
		}, nil)
		with("correlation", &admin.CorrelationFilter{Subject: to("order"), ApplicationProperties: map[string]any{"color": "red"}}, nil)
		with("action", &admin.SQLFilter{Expression: "color = 'red'"}, &admin.SQLAction{Expression: "SET price = price * 2; REMOVE color"})
		with("none", &admin.FalseFilter{}, nil)
		sender := newSender(topic)
		for _, order := range []struct {
			body, color string
			price       int64
		}{{"cheap", "red", 5}, {"red", "red", 20}, {"blue", "blue", 20}, {"green", "green", 20}} {
			try(sender.SendMessage(ctx, &azservicebus.Message{
				Body: []byte(order.body), Subject: to("order"),
				ApplicationProperties: map[string]any{"price": order.price, "color": order.color},
			}, nil))
		}
		equal([]string{"red", "blue"}, waiting(ctx, topic, "sql"))
		equal([]string{"cheap", "red"}, waiting(ctx, topic, "correlation"))
		equal([]string{}, waiting(ctx, topic, "none"))
		receiver := must(client.NewReceiverForSubscription(topic, "action", nil))
		changed := receive(ctx, receiver, 2)
		equal([]any{int64(10), int64(40)}, []any{changed[0].ApplicationProperties["price"], changed[1].ApplicationProperties["price"]})
		equal(nil, changed[0].ApplicationProperties["color"])
	})

	scenario("receives sessions of a subscription", func(ctx context.Context) {
		topic := freshTopic(ctx)
		properties := &admin.SubscriptionProperties{RequiresSession: to(true)}
		must(administration.CreateSubscription(ctx, topic, "s", &admin.CreateSubscriptionOptions{Properties: properties}))
		for _, id := range []string{"a", "b"} {
			try(newSender(topic).SendMessage(ctx, &azservicebus.Message{SessionID: &id, Body: []byte(id)}, nil))
		}
		session := must(client.AcceptSessionForSubscription(ctx, topic, "s", "b", nil))
		equal([]string{"b"}, texts(receive(ctx, session, 1)))
		try(session.Close(ctx))
	})

	scenario("administers topics", func(ctx context.Context) {
		name := freshTopic(ctx, "s")
		topic := must(administration.GetTopic(ctx, name, nil))
		topic.DefaultMessageTimeToLive, topic.UserMetadata = to("P1D"), to("<what>")
		must(administration.UpdateTopic(ctx, name, topic.TopicProperties, nil))
		got := must(administration.GetTopic(ctx, name, nil))
		equal([]string{"P1D", "<what>"}, []string{*got.DefaultMessageTimeToLive, *got.UserMetadata})
		equal(int32(1), must(administration.GetTopicRuntimeProperties(ctx, name, nil)).SubscriptionCount)
		listed := false
		for pager := administration.NewListTopicsPager(nil); pager.More(); {
			for _, each := range must(pager.NextPage(ctx)).Topics {
				listed = listed || each.TopicName == name
			}
		}
		check(listed, "it is not listed")
		_, err := administration.CreateTopic(ctx, name, nil)
		refusedWith(http.StatusConflict, err)
		must(administration.DeleteTopic(ctx, name, nil))
		check(must(administration.GetTopic(ctx, name, nil)) == nil, "it is there")
	})

	scenario("administers subscriptions and counts their messages", func(ctx context.Context) {
		topic := freshTopic(ctx, "other")
		wanted := &admin.SubscriptionProperties{LockDuration: to("PT45S"), MaxDeliveryCount: to(int32(3)), UserMetadata: to("m"),
			DeadLetteringOnMessageExpiration: to(true)}
		must(administration.CreateSubscription(ctx, topic, "s", &admin.CreateSubscriptionOptions{Properties: wanted}))
		got := must(administration.GetSubscription(ctx, topic, "s", nil))
		equal([]any{"PT45S", int32(3), "m", true}, []any{*got.LockDuration, *got.MaxDeliveryCount, *got.UserMetadata, *got.DeadLetteringOnMessageExpiration})
		got.MaxDeliveryCount = to(int32(4))
		must(administration.UpdateSubscription(ctx, topic, "s", got.SubscriptionProperties, nil))
		equal(int32(4), *must(administration.GetSubscription(ctx, topic, "s", nil)).MaxDeliveryCount)
		equal(2, len(must(administration.NewListSubscriptionsPager(topic, nil).NextPage(ctx)).Subscriptions))
		send(ctx, topic, "1", "2")
		equal(int32(2), must(administration.GetSubscriptionRuntimeProperties(ctx, topic, "s", nil)).ActiveMessageCount)
		must(administration.DeleteSubscription(ctx, topic, "s", nil))
		check(must(administration.GetSubscription(ctx, topic, "s", nil)) == nil, "it is there")
	})

	scenario("administers rules", func(ctx context.Context) {
		topic := freshTopic(ctx, "s")
		filter := &admin.SQLFilter{Expression: "x = @x AND y < 3", Parameters: map[string]any{"@x": "text"}}
		action := &admin.SQLAction{Expression: "SET z = @z", Parameters: map[string]any{"@z": int64(1)}}
		must(administration.CreateRule(ctx, topic, "s", &admin.CreateRuleOptions{Name: to("r"), Filter: filter, Action: action}))
		rule := must(administration.GetRule(ctx, topic, "s", "r", nil))
		equal(admin.RuleFilter(filter), rule.Filter)
		equal("SET z = @z", rule.Action.(*admin.SQLAction).Expression)
		rule.Filter = &admin.CorrelationFilter{CorrelationID: to("c"), ApplicationProperties: map[string]any{"flag": true, "text": "t"}}
		must(administration.UpdateRule(ctx, topic, "s", rule.RuleProperties))
		changed := must(administration.GetRule(ctx, topic, "s", "r", nil)).Filter.(*admin.CorrelationFilter)
		equal(map[string]any{"flag": true, "text": "t"}, changed.ApplicationProperties)
		var names []string
		for _, each := range must(administration.NewListRulesPager(topic, "s", nil).NextPage(ctx)).Rules {
			names = append(names, each.Name)
		}
		slices.Sort(names)
		equal([]string{"$Default", "r"}, names)
		must(administration.DeleteRule(ctx, topic, "s", "r", nil))
		check(must(administration.GetRule(ctx, topic, "s", "r", nil)) == nil, "it is there")
		bad := &admin.CreateRuleOptions{Name: to("bad"), Filter: &admin.SQLFilter{Expression: "price >"}}
		_, err := administration.CreateRule(ctx, topic, "s", bad)
		refusedWith(http.StatusBadRequest, err)
	})
}
