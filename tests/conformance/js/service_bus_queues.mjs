// Queues of Service Bus with @azure/service-bus: sending, settling, peeking, scheduling, deferring, dead letters.

import assert from "node:assert/strict";
import { isServiceBusError, ServiceBusClient } from "@azure/service-bus";
import { bodies, client, freshQueue, receive } from "./namespace.mjs";
import { scenario } from "./scenario.mjs";

const ONE_SECOND = { maxWaitTimeInMs: 1000 };

// The code of the error that a promise is rejected with.
async function codeOf(promise) {
  const error = await promise.then(
    () => assert.fail("there was no error"),
    (reason) => reason,
  );
  assert.ok(isServiceBusError(error), `${error?.stack}`);
  return error.code;
}

await scenario("keeps every property of a message", async () => {
  const queue = await freshQueue();
  const message = {
    body: { number: 1.5, nested: [true, null, "æ–—"] },
    messageId: "id-1",
    contentType: "application/json",
    correlationId: "correlation",
    subject: "subject",
    to: "to",
    replyTo: "reply",
    replyToSessionId: "reply-session",
    partitionKey: "session",
    sessionId: "session",
    applicationProperties: { text: "x", whole: 7, part: 0.25, yes: true, nothing: null },
  };
  await client.createSender(queue).sendMessages({ ...message, timeToLive: 60_000 });
  const [got] = await receive(client.createReceiver(queue), 1);
  for (const [name, value] of Object.entries(message)) assert.deepEqual(got[name], value, name);
  assert.equal(got.deliveryCount, 0);
  assert.equal(got.state, "active");
  assert.ok(Number(got.sequenceNumber) > 0);
  assert.ok(got.lockedUntilUtc > new Date());
  // This SDK counts from when the message was made to when the service lets it expire.
  assert.ok(got.timeToLive >= 60_000 && got.timeToLive < 90_000);
});

await scenario("sends one, several and a batch, in order", async () => {
  const queue = await freshQueue();
  const sender = client.createSender(queue);
  await sender.sendMessages({ body: "0" });
  await sender.sendMessages(["1", "2"].map((body) => ({ body })));
  const batch = await sender.createMessageBatch();
  for (let number = 3; number < 100; number += 1) assert.ok(batch.tryAddMessage({ body: `${number}` }));
  await sender.sendMessages(batch);
  const small = await sender.createMessageBatch({ maxSizeInBytes: 1000 });
  assert.equal(small.tryAddMessage({ body: "x".repeat(2000) }), false);
  const receiver = client.createReceiver(queue, { receiveMode: "receiveAndDelete" });
  assert.deepEqual(bodies(await receive(receiver, 100)), Array.from({ length: 100 }, (_, number) => `${number}`));
  assert.deepEqual(await receiver.receiveMessages(1, ONE_SECOND), []);
});

await scenario("settles in each of the five ways", async () => {
  const queue = await freshQueue();
  const names = ["complete", "abandon", "defer", "dead-letter", "delete"];
  await client.createSender(queue).sendMessages(names.map((body) => ({ body, applicationProperties: { kept: body } })));
  const receiver = client.createReceiver(queue);
  const [complete, abandon, defer, deadLetter] = await receive(receiver, 4);
  await receiver.completeMessage(complete);
  await receiver.abandonMessage(abandon, { changed: 1 });
  await receiver.deferMessage(defer, { changed: 2 });
  await receiver.deadLetterMessage(deadLetter, { deadLetterReason: "R", deadLetterErrorDescription: "D", changed: 3 });
  const [deferred] = await receiver.receiveDeferredMessages(defer.sequenceNumber);
  assert.deepEqual(deferred.applicationProperties, { kept: "defer", changed: 2 });
  await receiver.completeMessage(deferred);

  const deleting = client.createReceiver(queue, { receiveMode: "receiveAndDelete" });
  const [abandoned, deleted] = await receive(deleting, 2);
  assert.deepEqual([abandoned.body, abandoned.deliveryCount, deleted.body], ["abandon", 1, "delete"]);
  assert.deepEqual(abandoned.applicationProperties, { kept: "abandon", changed: 1 });

  const graveyard = client.createReceiver(queue, { subQueueType: "deadLetter" });
  const [buried] = await receive(graveyard, 1);
  assert.deepEqual([buried.deadLetterReason, buried.deadLetterErrorDescription], ["R", "D"]);
  assert.equal(buried.applicationProperties.changed, 3);
  await graveyard.completeMessage(buried);
  assert.deepEqual(await receiver.peekMessages(10), []);
  assert.deepEqual(await graveyard.peekMessages(10), []);
});

await scenario("renews a lock, and knows a lost one", async () => {
  const queue = await freshQueue({ lockDuration: "PT5S" });
  await client.createSender(queue).sendMessages({ body: "x" });
  const receiver = client.createReceiver(queue, { maxAutoLockRenewalDurationInMs: 0 });
  const [message] = await receive(receiver, 1);
  const first = message.lockedUntilUtc;
  assert.ok((await receiver.renewMessageLock(message)) >= first);
  await receiver.completeMessage(message);
  assert.equal(await codeOf(receiver.renewMessageLock(message)), "MessageLockLost");
});

await scenario("peeks without locking, from a sequence number on", async () => {
  const queue = await freshQueue();
  const sender = client.createSender(queue);
  await sender.sendMessages(["a", "b", "c"].map((body) => ({ body })));
  await sender.scheduleMessages({ body: "later" }, new Date(Date.now() + 3_600_000));
  const receiver = client.createReceiver(queue);
  const peeked = await receiver.peekMessages(10);
  assert.deepEqual(bodies(peeked), ["a", "b", "c", "later"]);
  assert.deepEqual(peeked.map((message) => message.state), ["active", "active", "active", "scheduled"]);
  assert.deepEqual(bodies(await receiver.peekMessages(2, { fromSequenceNumber: peeked[1].sequenceNumber })), ["b", "c"]);
  assert.deepEqual(bodies(await receiver.peekMessages(1, { fromSequenceNumber: peeked[0].sequenceNumber })), ["a"]);
});

await scenario("schedules and cancels", async () => {
  const queue = await freshQueue();
  const sender = client.createSender(queue);
  const soon = new Date(Date.now() + 1500);
  const numbers = await sender.scheduleMessages(["a", "b", "c"].map((body) => ({ body })), soon);
  assert.equal(numbers.length, 3);
  await sender.cancelScheduledMessages(numbers[1]);
  assert.equal(await codeOf(sender.cancelScheduledMessages(numbers[1])), "MessageNotFound");
  const receiver = client.createReceiver(queue);
  const received = await receive(receiver, 2);
  assert.ok(Date.now() >= soon.getTime());
  assert.deepEqual(bodies(received), ["a", "c"]);
  for (const message of received) await receiver.completeMessage(message);
});

await scenario("receives several deferred messages, and none that is not deferred", async () => {
  const queue = await freshQueue();
  await client.createSender(queue).sendMessages(["a", "b"].map((body) => ({ body })));
  const receiver = client.createReceiver(queue);
  const received = await receive(receiver, 2);
  for (const message of received) await receiver.deferMessage(message);
  assert.deepEqual(await receiver.receiveMessages(1, ONE_SECOND), []);
  const deferred = await receiver.receiveDeferredMessages(received.map((message) => message.sequenceNumber));
  assert.deepEqual(bodies(deferred).sort(), ["a", "b"]);
  await receiver.abandonMessage(deferred[0]);
  await receiver.deadLetterMessage(deferred[1]);
  assert.equal(await codeOf(receiver.receiveDeferredMessages(received[1].sequenceNumber)), "MessageNotFound");
});

await scenario("dead-letters after too many deliveries, and when the time to live is over", async () => {
  const queue = await freshQueue({ maxDeliveryCount: 2, deadLetteringOnMessageExpiration: true });
  await client.createSender(queue).sendMessages([{ body: "unlucky" }, { body: "short", timeToLive: 1 }]);
  const receiver = client.createReceiver(queue);
  for (let delivery = 0; delivery < 2; delivery += 1) {
    const [message] = await receive(receiver, 1);
    assert.deepEqual([message.body, message.deliveryCount], ["unlucky", delivery]);
    await receiver.abandonMessage(message);
  }
  const graveyard = client.createReceiver(queue, { subQueueType: "deadLetter", receiveMode: "receiveAndDelete" });
  const reasons = Object.fromEntries((await receive(graveyard, 2)).map((dead) => [dead.body, dead.deadLetterReason]));
  assert.deepEqual(reasons, { unlucky: "MaxDeliveryCountExceeded", short: "TTLExpiredException" });
});

await scenario("subscribes, renews locks meanwhile and settles by itself", async () => {
  const queue = await freshQueue({ lockDuration: "PT5S" });
  const receiver = client.createReceiver(queue);
  const seen = [];
  let done;
  const all = new Promise((resolve) => {
    done = resolve;
  });
  const subscription = receiver.subscribe(
    {
      processMessage: async (message) => {
        seen.push(message.body);
        if (seen.length === 20) done();
      },
      processError: async ({ error }) => assert.fail(error),
    },
    { maxConcurrentCalls: 4 },
  );
  await client.createSender(queue).sendMessages(Array.from({ length: 20 }, (_, number) => ({ body: number })));
  await all;
  await subscription.close();
  await receiver.close();
  assert.deepEqual(seen.sort((a, b) => a - b), Array.from({ length: 20 }, (_, number) => number));
  assert.deepEqual(await client.createReceiver(queue).receiveMessages(1, ONE_SECOND), []);
});

await scenario("waits for what is sent after a receiver has waited in vain", async () => {
  const queue = await freshQueue();
  const receiver = client.createReceiver(queue);
  assert.deepEqual(await receiver.receiveMessages(5, ONE_SECOND), []);
  const waiting = receiver.receiveMessages(5, { maxWaitTimeInMs: 10_000 });
  await client.createSender(queue).sendMessages({ body: "late" });
  assert.deepEqual(bodies(await waiting), ["late"]);
});

await scenario("detects duplicates", async () => {
  const queue = await freshQueue({ requiresDuplicateDetection: true });
  const sender = client.createSender(queue);
  for (const messageId of ["a", "a", "b", "a"]) await sender.sendMessages({ body: messageId, messageId });
  assert.deepEqual(bodies(await client.createReceiver(queue).peekMessages(10)), ["a", "b"]);
});

await scenario("names its refusals as Azure does", async () => {
  const queue = await freshQueue();
  const sender = client.createSender(queue);
  assert.equal(await codeOf(client.createSender("js-nothing").sendMessages({ body: 1 })), "MessagingEntityNotFound");
  assert.equal(await codeOf(client.createReceiver("js-nothing").peekMessages(1)), "MessagingEntityNotFound");
  assert.equal(await codeOf(sender.sendMessages({ body: "x".repeat(2_000_000) })), "MessageSizeExceeded");
  const stranger = new ServiceBusClient(process.env.SERVICEBUS.replace("SharedAccessKey=", "SharedAccessKey=not"), {
    retryOptions: { maxRetries: 0 },
  });
  assert.equal(await codeOf(stranger.createSender(queue).sendMessages({ body: 1 })), "UnauthorizedAccess");
  await stranger.close();
});

await client.close();
