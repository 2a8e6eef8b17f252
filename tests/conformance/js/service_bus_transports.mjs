// Service Bus with @azure/service-bus over TCP, TLS and WebSocket.

import assert from "node:assert/strict";
import { ServiceBusClient } from "@azure/service-bus";
import WebSocket from "ws";
import { bodies, freshQueue, receive } from "./namespace.mjs";
import { scenario } from "./scenario.mjs";

const BODIES = ["one", "two", "x".repeat(200_000)];

async function talk(connectionString, options = {}) {
  const queue = await freshQueue();
  const client = new ServiceBusClient(connectionString, {
    ...options,
    retryOptions: { maxRetries: 0, timeoutInMs: 20_000 },
  });
  await client.createSender(queue).sendMessages(BODIES.map((body) => ({ body })));
  const receiver = client.createReceiver(queue);
  const received = await receive(receiver, BODIES.length);
  assert.deepEqual(bodies(received), BODIES);
  await receiver.renewMessageLock(received[0]);
  for (const message of received) await receiver.completeMessage(message);
  assert.deepEqual(await receiver.peekMessages(1), []);
  await client.close();
}

await scenario("talks over TCP", () => talk(process.env.SERVICEBUS));
await scenario("talks over TLS", () => talk(process.env.SERVICEBUS_TLS));
await scenario("talks over WebSocket", () =>
  talk(process.env.SERVICEBUS_TLS, { webSocketOptions: { webSocket: WebSocket } }));
