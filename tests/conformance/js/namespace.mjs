// The namespace that the Service Bus programs share: a client, an administration client, and queues and topics of one's own.

import assert from "node:assert/strict";
import { ServiceBusAdministrationClient, ServiceBusClient } from "@azure/service-bus";

const retryOptions = { maxRetries: 0, timeoutInMs: 20_000 };

export const client = new ServiceBusClient(process.env.SERVICEBUS, { retryOptions });
export const administration = new ServiceBusAdministrationClient(process.env.SERVICEBUS_ADMINISTRATION, {
  retryOptions: { maxRetries: 0 },
});

let made = 0;

// Make a queue that nobody else uses; resolves to its name.
export async function freshQueue(options = {}) {
  made += 1;
  const name = `js-${process.pid}-${made}`;
  await administration.createQueue(name, options);
  return name;
}

// Make a topic that nobody else uses, with subscriptions; resolves to its name.
export async function freshTopic(...subscriptions) {
  made += 1;
  const name = `js-${process.pid}-${made}`;
  await administration.createTopic(name);
  for (const subscription of subscriptions) await administration.createSubscription(name, subscription);
  return name;
}

// Receive exactly this many messages, in as many calls as it takes.
export async function receive(receiver, count) {
  const received = [];
  while (received.length < count) {
    const messages = await receiver.receiveMessages(count - received.length, { maxWaitTimeInMs: 10_000 });
    assert.notEqual(messages.length, 0, `${received.length} messages came instead of ${count}`);
    received.push(...messages);
  }
  return received;
}

export const bodies = (messages) => messages.map((message) => message.body);
