// Queue storage with @azure/storage-queue.

import assert from "node:assert/strict";
import {
  QueueClient, QueueSASPermissions, QueueServiceClient, AccountSASPermissions, AccountSASResourceTypes,
  AccountSASServices,
} from "@azure/storage-queue";
import { scenario } from "./scenario.mjs";

const service = QueueServiceClient.fromConnectionString(process.env.STORAGE, { retryOptions: { maxTries: 1 } });
const inAnHour = () => new Date(Date.now() + 3_600_000);
let made = 0;

async function freshQueue(options) {
  made += 1;
  const queue = service.getQueueClient(`js-${process.pid}-${made}`);
  await queue.create(options);
  return queue;
}

const texts = (messages) => messages.map((message) => message.messageText);

await scenario("creates, describes, lists and deletes queues", async () => {
  const queue = await freshQueue({ metadata: { color: "red" } });
  assert.deepEqual((await queue.getProperties()).metadata, { color: "red" });
  await queue.setMetadata({ color: "blue" });
  const listed = [];
  for await (const item of service.listQueues({ prefix: queue.name, includeMetadata: true })) listed.push(item);
  assert.deepEqual(listed, [{ name: queue.name, metadata: { color: "blue" } }]);
  await assert.rejects(queue.create(), { statusCode: 409, code: "QueueAlreadyExists" });
  await queue.delete();
  assert.equal(await queue.exists(), false);
});

await scenario("sends, peeks, receives and deletes in order, any text", async () => {
  const queue = await freshQueue();
  const wanted = ["plain", "<xml> & 'quotes'", "æ–—😀", "a\ttab", " spaces "];
  for (const text of wanted) await queue.sendMessage(text);
  assert.equal((await queue.getProperties()).approximateMessagesCount, wanted.length);
  assert.deepEqual(texts((await queue.peekMessages({ numberOfMessages: 32 })).peekedMessageItems), wanted);
  const { receivedMessageItems } = await queue.receiveMessages({ numberOfMessages: 32, visibilityTimeout: 60 });
  assert.deepEqual(texts(receivedMessageItems), wanted);
  assert.deepEqual(receivedMessageItems.map((message) => message.dequeueCount), wanted.map(() => 1));
  assert.equal((await queue.peekMessages()).peekedMessageItems.length, 0);
  for (const { messageId, popReceipt } of receivedMessageItems) await queue.deleteMessage(messageId, popReceipt);
  assert.equal((await queue.getProperties()).approximateMessagesCount, 0);
});

await scenario("updates a message, and its receipt with it", async () => {
  const queue = await freshQueue();
  const sent = await queue.sendMessage("first", { visibilityTimeout: 3600 });
  const updated = await queue.updateMessage(sent.messageId, sent.popReceipt, "second", 0);
  await assert.rejects(queue.deleteMessage(sent.messageId, sent.popReceipt), { statusCode: 404 });
  const [message] = (await queue.receiveMessages()).receivedMessageItems;
  assert.equal(message.messageText, "second");
  assert.notEqual(message.popReceipt, updated.popReceipt);
  await queue.deleteMessage(message.messageId, message.popReceipt);
  await assert.rejects(queue.deleteMessage(message.messageId, message.popReceipt), { code: "MessageNotFound" });
});

await scenario("shows messages again, and lets them expire", async () => {
  const queue = await freshQueue();
  await queue.sendMessage("again");
  await queue.sendMessage("short", { messageTimeToLive: 1 });
  await queue.sendMessage("for ever", { messageTimeToLive: -1 });
  const [first] = (await queue.receiveMessages({ visibilityTimeout: 1 })).receivedMessageItems;
  await new Promise((resolve) => setTimeout(resolve, 1600));
  const left = (await queue.receiveMessages({ numberOfMessages: 32 })).receivedMessageItems;
  assert.deepEqual(left.map((item) => [item.messageText, item.dequeueCount]).sort(), [["again", 2], ["for ever", 1]]);
  assert.equal(left.some((item) => item.popReceipt === first.popReceipt), false);
});

await scenario("clears a queue, and refuses what is too large", async () => {
  const queue = await freshQueue();
  for (let number = 0; number < 40; number += 1) await queue.sendMessage(`${number}`);
  await queue.clearMessages();
  assert.equal((await queue.getProperties()).approximateMessagesCount, 0);
  await queue.sendMessage("x".repeat(64 * 1024));
  await assert.rejects(queue.sendMessage("x".repeat(64 * 1024 + 1)), { statusCode: 413, code: "RequestBodyTooLarge" });
  await assert.rejects(queue.receiveMessages({ numberOfMessages: 33 }), { code: "OutOfRangeQueryParameterValue" });
});

await scenario("gives access by signature and by stored policy", async () => {
  const queue = await freshQueue();
  const add = new QueueClient(await queue.generateSasUrl({ permissions: QueueSASPermissions.parse("a"), expiresOn: inAnHour() }));
  await add.sendMessage("from outside");
  await assert.rejects(add.peekMessages(), { statusCode: 403, code: "AuthorizationPermissionMismatch" });
  await queue.setAccessPolicy([{ id: "p", accessPolicy: { permissions: "raup", startsOn: new Date(Date.now() - 60_000), expiresOn: inAnHour() } }]);
  const { signedIdentifiers } = await queue.getAccessPolicy();
  assert.deepEqual(signedIdentifiers.map(({ id, accessPolicy }) => [id, accessPolicy.permissions]), [["p", "raup"]]);
  const byPolicy = new QueueClient(await queue.generateSasUrl({ identifier: "p" }));
  assert.deepEqual(texts((await byPolicy.receiveMessages()).receivedMessageItems), ["from outside"]);
  const url = service.generateAccountSasUrl(inAnHour(), AccountSASPermissions.parse("rl"),
    AccountSASResourceTypes.parse("sco").toString(), { services: AccountSASServices.parse("q").toString() });
  assert.equal((await new QueueServiceClient(url).getQueueClient(queue.name).getProperties()).approximateMessagesCount, 1);
});

await scenario("reads and sets the properties of the service", async () => {
  const before = await service.getProperties();
  const cors = [{ allowedOrigins: "*", allowedMethods: "GET", allowedHeaders: "*", exposedHeaders: "*", maxAgeInSeconds: 5 }];
  await service.setProperties({ ...before, cors });
  assert.deepEqual((await service.getProperties()).cors, cors);
  await service.setProperties({ ...before, cors: [] });
});
