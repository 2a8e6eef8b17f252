// Sends, receives and settles with @azure/service-bus: node service_bus.mjs QUEUE [websocket]
// The connection string is in CONNECTION_STRING; the exit code tells whether everything went as it should.

import assert from "node:assert/strict";
import { ServiceBusClient } from "@azure/service-bus";
import WebSocket from "ws";

const [queue, transport] = process.argv.slice(2);
const options = transport === "websocket" ? { webSocketOptions: { webSocket: WebSocket } } : {};
const client = new ServiceBusClient(process.env.CONNECTION_STRING, {
  ...options,
  retryOptions: { maxRetries: 0, timeoutInMs: 20_000 },
});

const bodies = ["one", "two", "x".repeat(200_000)];
const sender = client.createSender(queue);
await sender.sendMessages({ body: bodies[0], applicationProperties: { number: 1 } });
await sender.sendMessages(bodies.slice(1).map((body) => ({ body })));

const receiver = client.createReceiver(queue);
const peeked = await receiver.peekMessages(10);
assert.deepEqual(peeked.map((message) => message.body), bodies);

const received = [];
while (received.length < bodies.length) {
  const messages = await receiver.receiveMessages(bodies.length, { maxWaitTimeInMs: 10_000 });
  assert.notEqual(messages.length, 0);
  received.push(...messages);
}
assert.deepEqual(received.map((message) => message.body), bodies);
assert.deepEqual(received[0].applicationProperties, { number: 1 });
await receiver.renewMessageLock(received[0]);
await receiver.completeMessage(received[0]);
await receiver.abandonMessage(received[1]);
await receiver.deadLetterMessage(received[2], { deadLetterReason: "too long" });

const [again] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 10_000 });
assert.deepEqual([again.body, again.deliveryCount], ["two", 1]);
await receiver.completeMessage(again);

const dead = client.createReceiver(queue, { subQueueType: "deadLetter", receiveMode: "receiveAndDelete" });
const [buried] = await dead.receiveMessages(1, { maxWaitTimeInMs: 10_000 });
assert.deepEqual([buried.body.length, buried.deadLetterReason], [200_000, "too long"]);
assert.deepEqual(await receiver.peekMessages(1), []);
await client.close();
console.log("done");
