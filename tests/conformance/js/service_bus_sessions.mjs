// Sessions of Service Bus with @azure/service-bus.

import assert from "node:assert/strict";
import { isServiceBusError, ServiceBusClient } from "@azure/service-bus";
import { bodies, client, freshQueue, receive } from "./namespace.mjs";
import { scenario } from "./scenario.mjs";

const SESSIONS = { requiresSession: true };

async function sent(queue, ...pairs) {
  await client.createSender(queue).sendMessages(pairs.map(([sessionId, body]) => ({ sessionId, body })));
}

await scenario("receives one session in order and leaves the others", async () => {
  const queue = await freshQueue(SESSIONS);
  await sent(queue, ["a", 1], ["b", 2], ["a", 3]);
  const session = await client.acceptSession(queue, "a");
  assert.equal(session.sessionId, "a");
  assert.ok(session.sessionLockedUntilUtc > new Date());
  const messages = await receive(session, 2);
  assert.deepEqual(bodies(messages), [1, 3]);
  for (const message of messages) await session.completeMessage(message);
  assert.deepEqual(await session.receiveMessages(1, { maxWaitTimeInMs: 500 }), []);
  await session.close();
});

await scenario("accepts the next session until there is none", async () => {
  const queue = await freshQueue(SESSIONS);
  await sent(queue, ["a", 1], ["b", 2]);
  const first = await client.acceptNextSession(queue);
  const second = await client.acceptNextSession(queue);
  assert.deepEqual([first.sessionId, second.sessionId].sort(), ["a", "b"]);
  const hasty = new ServiceBusClient(process.env.SERVICEBUS, { retryOptions: { maxRetries: 0, timeoutInMs: 1000 } });
  await assert.rejects(hasty.acceptNextSession(queue), { code: "ServiceTimeout" });
  await hasty.close();
  await first.close();
  await second.close();
});

await scenario("keeps the state of a session", async () => {
  const queue = await freshQueue(SESSIONS);
  const session = await client.acceptSession(queue, "state");
  assert.equal(await session.getSessionState(), null);
  await session.setSessionState({ step: 2 });
  await session.close();
  const again = await client.acceptSession(queue, "state");
  assert.deepEqual(await again.getSessionState(), { step: 2 });
  await again.setSessionState(null);
  assert.equal(await again.getSessionState(), null);
  await again.close();
});

await scenario("refuses a session that somebody else holds, and renews its lock", async () => {
  const queue = await freshQueue({ ...SESSIONS, lockDuration: "PT5S" });
  const session = await client.acceptSession(queue, "held", { maxAutoLockRenewalDurationInMs: 0 });
  const error = await client.acceptSession(queue, "held").then(assert.fail, (reason) => reason);
  assert.ok(isServiceBusError(error), `${error?.stack}`);
  assert.equal(error.code, "SessionCannotBeLocked");
  const until = session.sessionLockedUntilUtc;
  assert.ok((await session.renewSessionLock()) >= until);
  await session.close();
  await (await client.acceptSession(queue, "held")).close();
});

await scenario("settles, defers, peeks and dead-letters inside a session", async () => {
  const queue = await freshQueue(SESSIONS);
  await sent(queue, ["s", "complete"], ["s", "abandon"], ["s", "defer"], ["s", "bury"]);
  const session = await client.acceptSession(queue, "s");
  assert.deepEqual(bodies(await session.peekMessages(10)), ["complete", "abandon", "defer", "bury"]);
  const [complete, abandon, defer, bury] = await receive(session, 4);
  await session.completeMessage(complete);
  await session.deferMessage(defer);
  await session.deadLetterMessage(bury, { deadLetterReason: "R" });
  await session.abandonMessage(abandon);
  const [again] = await receive(session, 1);
  assert.deepEqual([again.body, again.deliveryCount], ["abandon", 1]);
  const [deferred] = await session.receiveDeferredMessages([defer.sequenceNumber]);
  await session.completeMessage(deferred);
  await session.completeMessage(again);
  await session.close();
  const [buried] = await receive(client.createReceiver(queue, { subQueueType: "deadLetter" }), 1);
  assert.deepEqual([buried.sessionId, buried.body, buried.deadLetterReason], ["s", "bury", "R"]);
});

await scenario("schedules into a session", async () => {
  const queue = await freshQueue(SESSIONS);
  const sender = client.createSender(queue);
  await sender.scheduleMessages({ body: "soon", sessionId: "later" }, new Date(Date.now() + 1000));
  const session = await client.acceptNextSession(queue);
  assert.equal(session.sessionId, "later");
  assert.deepEqual(bodies(await receive(session, 1)), ["soon"]);
  await session.close();
});

await scenario("refuses what does not fit the queue's sessions", async () => {
  const queue = await freshQueue(SESSIONS);
  await assert.rejects(client.createSender(queue).sendMessages({ body: "no session" }), { name: "ServiceBusError" });
  await assert.rejects(client.createReceiver(queue).receiveMessages(1), /InvalidOperationError/);
  await assert.rejects(client.acceptSession(await freshQueue(), "s"), { code: "SessionCannotBeLocked" });
});

await client.close();
