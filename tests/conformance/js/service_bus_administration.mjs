// The administration of Service Bus with @azure/service-bus, which speaks HTTPS.

import assert from "node:assert/strict";
import { administration, client, freshQueue } from "./namespace.mjs";
import { scenario } from "./scenario.mjs";

async function all(iterator) {
  const found = [];
  for await (const one of iterator) found.push(one);
  return found;
}

await scenario("tells about the namespace", async () => {
  const properties = await administration.getNamespaceProperties();
  assert.ok(properties.name);
  assert.ok(properties.createdAt instanceof Date);
});

await scenario("creates a queue with every property, and reads it back", async () => {
  const wanted = {
    lockDuration: "PT45S",
    maxSizeInMegabytes: 2048,
    requiresDuplicateDetection: true,
    requiresSession: true,
    defaultMessageTimeToLive: "P1D",
    deadLetteringOnMessageExpiration: true,
    duplicateDetectionHistoryTimeWindow: "PT2M",
    maxDeliveryCount: 7,
    enableBatchedOperations: false,
    autoDeleteOnIdle: "PT1H",
    userMetadata: "<what> & \"ever\"",
    status: "Active",
    authorizationRules: [
      { claimType: "SharedAccessKey", accessRights: ["Manage", "Send", "Listen"], keyName: "own",
        primaryKey: "cHJpbWFyeQ==", secondaryKey: "c2Vjb25kYXJ5" },
    ],
  };
  const name = await freshQueue(wanted);
  const queue = await administration.getQueue(name);
  for (const [key, value] of Object.entries(wanted)) assert.deepEqual(queue[key], value, key);
  assert.equal(queue.name, name);
});

await scenario("updates, lists and deletes queues", async () => {
  const name = await freshQueue();
  const queue = await administration.getQueue(name);
  queue.maxDeliveryCount = 3;
  queue.lockDuration = "PT20S";
  const updated = await administration.updateQueue(queue);
  assert.deepEqual([updated.maxDeliveryCount, updated.lockDuration], [3, "PT20S"]);
  assert.equal((await administration.getQueue(name)).maxDeliveryCount, 3);
  const names = (await all(administration.listQueues())).map((each) => each.name);
  assert.ok(names.includes(name));
  assert.equal(await administration.queueExists(name), true);
  await administration.deleteQueue(name);
  assert.equal(await administration.queueExists(name), false);
});

await scenario("lists more queues than fit a page", async () => {
  const names = [];
  for (let number = 0; number < 110; number += 1) names.push(await freshQueue());
  const listed = new Set((await all(administration.listQueues())).map((each) => each.name));
  assert.ok(names.every((name) => listed.has(name)));
  const pages = administration.listQueues().byPage({ maxPageSize: 30 });
  assert.equal((await pages.next()).value.length, 30);
  for (const name of names) await administration.deleteQueue(name);
});

await scenario("counts messages by their state", async () => {
  const name = await freshQueue();
  const sender = client.createSender(name);
  await sender.sendMessages(["a", "b", "c"].map((body) => ({ body })));
  await sender.scheduleMessages({ body: "later" }, new Date(Date.now() + 3_600_000));
  const receiver = client.createReceiver(name);
  const [message] = await receiver.receiveMessages(1);
  await receiver.deadLetterMessage(message);
  const counts = await administration.getQueueRuntimeProperties(name);
  assert.deepEqual(
    [counts.activeMessageCount, counts.scheduledMessageCount, counts.deadLetterMessageCount, counts.totalMessageCount],
    [2, 1, 1, 4],
  );
  assert.ok(counts.sizeInBytes > 0);
  assert.ok(counts.createdAt <= new Date(Date.now() + 1000));
});

await scenario("forwards to another queue", async () => {
  const target = await freshQueue();
  const source = await freshQueue({ forwardTo: target });
  await client.createSender(source).sendMessages({ body: "on its way" });
  const [message] = await client.createReceiver(target).receiveMessages(1, { maxWaitTimeInMs: 10_000 });
  assert.equal(message.body, "on its way");
});

await scenario("refuses what is there already, what is missing and what is malformed", async () => {
  const name = await freshQueue();
  await assert.rejects(administration.createQueue(name), { code: "MessageEntityAlreadyExistsError", statusCode: 409 });
  await assert.rejects(administration.getQueue("js-nothing"), { code: "MessageEntityNotFoundError" });
  await assert.rejects(administration.deleteQueue("js-nothing"), { code: "MessageEntityNotFoundError", statusCode: 404 });
  await assert.rejects(administration.createQueue(`${name}-x`, { lockDuration: "PT10M" }), { statusCode: 400 });
});

await client.close();
