// An app as it is written for production: production host names, DefaultAzureCredential, nothing of LocalZure.

import { TableClient } from "@azure/data-tables";
import { DefaultAzureCredential } from "@azure/identity";
import { ServiceBusAdministrationClient, ServiceBusClient } from "@azure/service-bus";
import { BlobServiceClient } from "@azure/storage-blob";
import { QueueClient } from "@azure/storage-queue";
import { HttpsProxyAgent } from "https-proxy-agent";
import WebSocket from "ws";

const credential = new DefaultAzureCredential();

const container = new BlobServiceClient("https://contoso.blob.core.windows.net", credential).getContainerClient("invoices");
await container.create();
await container.getBlockBlobClient("1.txt").upload("paid", 4);
console.log("blob", (await container.getBlobClient("1.txt").downloadToBuffer()).toString());

const queue = new QueueClient("https://contoso.queue.core.windows.net/jobs", credential);
await queue.create();
await queue.sendMessage("work");
console.log("queue", (await queue.receiveMessages()).receivedMessageItems[0].messageText);

const table = new TableClient("https://contoso.table.core.windows.net", "people", credential);
await table.createTable();
await table.createEntity({ partitionKey: "a", rowKey: "b", name: "Ada" });
console.log("table", (await table.getEntity("a", "b")).name);

const namespace = "contoso.servicebus.windows.net";
await new ServiceBusAdministrationClient(namespace, credential).createQueue("orders");
const proxy = process.env.HTTPS_PROXY;
const client = new ServiceBusClient(namespace, credential, {
  webSocketOptions: {
    webSocket: WebSocket,
    webSocketConstructorOptions: proxy ? { agent: new HttpsProxyAgent(proxy) } : {},
  },
});
await client.createSender("orders").sendMessages({ body: "order" });
const receiver = client.createReceiver("orders");
const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 10_000 });
console.log("servicebus", message.body);
await receiver.completeMessage(message);
await client.close();
process.exitCode = Number(process.argv[2] ?? 0);
