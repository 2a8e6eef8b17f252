// Rules of subscriptions with @azure/service-bus: its rule manager, which speaks AMQP, and its administration client.

import assert from "node:assert/strict";
import { administration, bodies, client, receive } from "./namespace.mjs";
import { scenario } from "./scenario.mjs";

let made = 0;

// Make a topic and a subscription of it without rules; resolves to their names.
async function freshSubscription() {
  made += 1;
  const names = [`js-topic-${process.pid}-${made}`, "subscription"];
  await administration.createTopic(names[0]);
  await administration.createSubscription(...names);
  await administration.deleteRule(...names, "$Default");
  return names;
}

async function all(iterator) {
  const found = [];
  for await (const one of iterator) found.push(one);
  return found;
}

async function send(topic, ...messages) {
  const sender = client.createSender(topic);
  await sender.sendMessages(messages);
  await sender.close();
}

async function take(names, count) {
  const receiver = client.createReceiver(...names, { receiveMode: "receiveAndDelete" });
  const received = await receive(receiver, count);
  assert.deepEqual(await receiver.receiveMessages(1, { maxWaitTimeInMs: 300 }), []);
  await receiver.close();
  return received;
}

await scenario("adds, lists and deletes rules over AMQP", async () => {
  const names = await freshSubscription();
  const manager = client.createRuleManager(...names);
  await manager.createRule("sql", { sqlExpression: "color = 'red' AND quantity > 5" }, { sqlExpression: "SET size = 'big'" });
  await manager.createRule("same", {
    subject: "order",
    correlationId: "c",
    applicationProperties: { n: 5, yes: true, at: new Date(1_600_000_000_000) },
  });
  await manager.createRule("every", { sqlExpression: "1=1" });
  const rules = await all(manager.listRules());
  assert.deepEqual(rules.map((rule) => rule.name), ["every", "same", "sql"]);
  const [every, same, sql] = rules;
  assert.equal(every.filter.sqlExpression, "1=1");
  assert.deepEqual([same.filter.subject, same.filter.correlationId], ["order", "c"]);
  assert.equal(same.filter.applicationProperties.n, 5);
  assert.equal(same.filter.applicationProperties.yes, true);
  assert.equal(sql.filter.sqlExpression, "color = 'red' AND quantity > 5");
  assert.equal(sql.action.sqlExpression, "SET size = 'big'");
  await manager.deleteRule("every");
  await manager.deleteRule("same");
  assert.deepEqual((await all(manager.listRules())).map((rule) => rule.name), ["sql"]);
  await manager.deleteRule("sql");
  // Of no rules this SDK lists one that is undefined.
  assert.deepEqual((await all(manager.listRules())).filter(Boolean), []);
});

await scenario("gives a subscription what its rules take, changed by their actions", async () => {
  const names = await freshSubscription();
  const manager = client.createRuleManager(...names);
  await manager.createRule(
    "big",
    { sqlExpression: "quantity > 5 AND sys.Label LIKE 'o%'" },
    { sqlExpression: "SET quantity = quantity * 2; SET sys.Label = 'seen'; REMOVE secret; SET fresh = newid()" },
  );
  await manager.createRule("blue", { applicationProperties: { color: "blue" } });
  await send(
    names[0],
    { body: "taken", subject: "order", applicationProperties: { quantity: 7, secret: "x" } },
    { body: "too small", subject: "order", applicationProperties: { quantity: 5 } },
    { body: "unknown", subject: "order" },
    { body: "blue", applicationProperties: { color: "blue" } },
    { body: "Blue", applicationProperties: { color: "Blue" } },
  );
  const received = await take(names, 2);
  assert.deepEqual(bodies(received), ["taken", "blue"]);
  const [taken] = received;
  assert.equal(taken.subject, "seen");
  assert.equal(taken.applicationProperties.quantity, 14);
  assert.equal("secret" in taken.applicationProperties, false);
  assert.ok(taken.applicationProperties.fresh);
});

await scenario("administers rules with parameters", async () => {
  const names = await freshSubscription();
  await administration.createRule(...names, "r", {
    sqlExpression: "color = @color AND quantity >= @least",
    sqlParameters: { "@color": "red", "@least": 2 },
  }, { sqlExpression: "SET size = @size", sqlParameters: { "@size": "big" } });
  const rule = await administration.getRule(...names, "r");
  assert.equal(rule.filter.sqlExpression, "color = @color AND quantity >= @least");
  assert.deepEqual(rule.filter.sqlParameters, { "@color": "red", "@least": 2 });
  await send(
    names[0],
    { body: "yes", applicationProperties: { color: "red", quantity: 2 } },
    { body: "no", applicationProperties: { color: "red", quantity: 1 } },
  );
  const received = await take(names, 1);
  assert.deepEqual([received[0].body, received[0].applicationProperties.size], ["yes", "big"]);
});

await scenario("refuses rules that make no sense", async () => {
  const names = await freshSubscription();
  const manager = client.createRuleManager(...names);
  await assert.rejects(manager.createRule("bad", { sqlExpression: "color = = 'red'" }), /line=1, column=9/);
  await assert.rejects(administration.createRule(...names, "bad", { sqlExpression: "color LIKE" }), { statusCode: 400 });
  await manager.createRule("good", { sqlExpression: "1=1" });
  await assert.rejects(manager.createRule("good", { sqlExpression: "1=1" }), { code: "MessagingEntityAlreadyExists" });
  await assert.rejects(manager.deleteRule("missing"), { code: "MessagingEntityNotFound" });
});

await client.close();
