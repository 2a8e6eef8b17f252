// Topics of Service Bus with @azure/service-bus: subscriptions, filters, actions, rules and their administration.

import assert from "node:assert/strict";
import { administration, bodies, client, freshTopic, receive } from "./namespace.mjs";
import { scenario } from "./scenario.mjs";

const deleting = { receiveMode: "receiveAndDelete" };

async function all(iterator) {
  const found = [];
  for await (const one of iterator) found.push(one);
  return found;
}

async function send(topic, ...messages) {
  await client.createSender(topic).sendMessages(messages);
}

// The bodies that wait in a subscription.
async function waiting(topic, subscription) {
  return bodies(await client.createReceiver(topic, subscription).peekMessages(100));
}

await scenario("gives every subscription its own copy", async () => {
  const topic = await freshTopic("one", "two");
  await send(topic, { body: "a", subject: "s" }, { body: "b" });
  const receiver = client.createReceiver(topic, "one");
  const received = await receive(receiver, 2);
  assert.deepEqual(bodies(received), ["a", "b"]);
  assert.equal(received[0].subject, "s");
  await receiver.completeMessage(received[0]);
  await receiver.deadLetterMessage(received[1], { deadLetterReason: "R" });
  const graveyard = client.createReceiver(topic, "one", { ...deleting, subQueueType: "deadLetter" });
  assert.equal((await receive(graveyard, 1))[0].deadLetterReason, "R");
  assert.deepEqual([await waiting(topic, "one"), await waiting(topic, "two")], [[], ["a", "b"]]);
});

await scenario("filters by SQL and correlation, and changes messages by actions", async () => {
  const topic = await freshTopic("sql", "correlation", "action", "none");
  const only = async (subscription, filter, action) => {
    await administration.deleteRule(topic, subscription, "$Default");
    await administration.createRule(topic, subscription, "own", filter, action);
  };
  await only("sql", { sqlExpression: "price > 10 AND sys.Label LIKE 'or%' AND color IN ('red', @second)",
    sqlParameters: { "@second": "blue" } });
  await only("correlation", { subject: "order", applicationProperties: { color: "red" } });
  await only("action", { sqlExpression: "color = 'red'" }, { sqlExpression: "SET price = price * 2; REMOVE color; SET sys.Label = 'changed'" });
  await only("none", { sqlExpression: "1=0" });
  const order = (body, price, color) => ({ body, subject: "order", applicationProperties: { price, color } });
  await send(topic, order("cheap", 5, "red"), order("red", 20, "red"), order("blue", 20, "blue"), order("green", 20, "green"));
  assert.deepEqual(await waiting(topic, "sql"), ["red", "blue"]);
  assert.deepEqual(await waiting(topic, "correlation"), ["cheap", "red"]);
  assert.deepEqual(await waiting(topic, "none"), []);
  const changed = await receive(client.createReceiver(topic, "action", deleting), 2);
  assert.deepEqual(changed.map((message) => [message.body, message.subject, message.applicationProperties]), [
    ["cheap", "changed", { price: 10, RuleName: "own" }],
    ["red", "changed", { price: 40, RuleName: "own" }],
  ]);
});

await scenario("adds, lists and removes rules over AMQP", async () => {
  const topic = await freshTopic("s");
  const rules = client.createRuleManager(topic, "s");
  await rules.createRule("sql", { sqlExpression: "a = 1" }, { sqlExpression: "SET b = 2" });
  await rules.createRule("correlation", { correlationId: "c", applicationProperties: { x: "y" } });
  await rules.deleteRule("$Default");
  const found = Object.fromEntries((await all(rules.listRules())).map((rule) => [rule.name, rule]));
  assert.deepEqual(Object.keys(found).sort(), ["correlation", "sql"]);
  assert.equal(found.sql.filter.sqlExpression, "a = 1");
  assert.equal(found.sql.action.sqlExpression, "SET b = 2");
  assert.equal(found.correlation.filter.correlationId, "c");
  await send(topic, { body: "neither" }, { body: "second", correlationId: "c", applicationProperties: { x: "y" } });
  assert.deepEqual(await waiting(topic, "s"), ["second"]);
  await assert.rejects(rules.deleteRule("nothing"), { code: "MessagingEntityNotFound" });
  await assert.rejects(rules.createRule("sql", { sqlExpression: "1=1" }), { code: "MessagingEntityAlreadyExists" });
});

await scenario("receives sessions of a subscription", async () => {
  const topic = await freshTopic();
  await administration.createSubscription(topic, "s", { requiresSession: true });
  await send(topic, { body: 1, sessionId: "a" }, { body: 2, sessionId: "b" });
  const session = await client.acceptSession(topic, "s", "b");
  assert.deepEqual(bodies(await receive(session, 1)), [2]);
  await session.close();
});

await scenario("administers topics", async () => {
  const name = await freshTopic();
  const topic = await administration.getTopic(name);
  topic.defaultMessageTimeToLive = "P1D";
  topic.userMetadata = "<what>";
  const updated = await administration.updateTopic(topic);
  assert.deepEqual([updated.defaultMessageTimeToLive, updated.userMetadata], ["P1D", "<what>"]);
  assert.ok((await all(administration.listTopics())).some((each) => each.name === name));
  assert.equal((await administration.getTopicRuntimeProperties(name)).subscriptionCount, 0);
  await assert.rejects(administration.createTopic(name), { statusCode: 409 });
  await administration.deleteTopic(name);
  assert.equal(await administration.topicExists(name), false);
});

await scenario("administers subscriptions and counts their messages", async () => {
  const topic = await freshTopic("other");
  const wanted = { lockDuration: "PT45S", maxDeliveryCount: 3, requiresSession: false, defaultMessageTimeToLive: "P1D",
    deadLetteringOnMessageExpiration: true, deadLetteringOnFilterEvaluationExceptions: false, userMetadata: "m" };
  await administration.createSubscription(topic, "s", wanted);
  const got = await administration.getSubscription(topic, "s");
  for (const [name, value] of Object.entries(wanted)) assert.deepEqual(got[name], value, name);
  got.maxDeliveryCount = 4;
  assert.equal((await administration.updateSubscription(got)).maxDeliveryCount, 4);
  assert.deepEqual((await all(administration.listSubscriptions(topic))).map((each) => each.subscriptionName).sort(), ["other", "s"]);
  await send(topic, { body: 1 }, { body: 2 });
  const counts = await administration.getSubscriptionRuntimeProperties(topic, "s");
  assert.deepEqual([counts.activeMessageCount, counts.totalMessageCount], [2, 2]);
  await administration.deleteSubscription(topic, "s");
  assert.equal(await administration.subscriptionExists(topic, "s"), false);
});

await scenario("administers rules", async () => {
  const topic = await freshTopic("s");
  await administration.createRule(topic, "s", "r", { sqlExpression: "x = @x AND y < 3", sqlParameters: { "@x": "text" } },
    { sqlExpression: "SET z = 1" });
  const rule = await administration.getRule(topic, "s", "r");
  assert.deepEqual([rule.filter.sqlExpression, rule.filter.sqlParameters, rule.action.sqlExpression],
    ["x = @x AND y < 3", { "@x": "text" }, "SET z = 1"]);
  rule.filter = { correlationId: "c", subject: "s", applicationProperties: { number: 1, flag: true } };
  await administration.updateRule(topic, "s", rule);
  const changed = (await administration.getRule(topic, "s", "r")).filter;
  assert.deepEqual([changed.correlationId, changed.subject, changed.applicationProperties], ["c", "s", { number: 1, flag: true }]);
  assert.deepEqual((await all(administration.listRules(topic, "s"))).map((each) => each.name).sort(), ["$Default", "r"]);
  await administration.deleteRule(topic, "s", "r");
  assert.equal(await administration.ruleExists(topic, "s", "r"), false);
  await assert.rejects(administration.createRule(topic, "s", "bad", { sqlExpression: "price >" }), { statusCode: 400 });
});

await client.close();
