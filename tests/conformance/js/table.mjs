// Table storage with @azure/data-tables.

import assert from "node:assert/strict";
import {
  AzureNamedKeyCredential, generateAccountSas, generateTableSas, odata, TableClient, TableServiceClient,
  TableTransaction, AzureSASCredential,
} from "@azure/data-tables";
import { scenario } from "./scenario.mjs";

const parts = Object.fromEntries(process.env.STORAGE.split(";").filter(Boolean).map((part) => {
  const at = part.indexOf("=");
  return [part.slice(0, at), part.slice(at + 1)];
}));
const options = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };
const credential = new AzureNamedKeyCredential(parts.AccountName, parts.AccountKey);
const service = new TableServiceClient(parts.TableEndpoint, credential, options);
const inAnHour = () => new Date(Date.now() + 3_600_000);
let made = 0;

async function freshTable() {
  made += 1;
  const table = new TableClient(parts.TableEndpoint, `js${process.pid}x${made}`, credential, options);
  await table.createTable();
  return table;
}

async function all(iterator) {
  const found = [];
  for await (const one of iterator) found.push(one);
  return found;
}

// Fail unless a promise is rejected with this status and code.
async function refused(promise, status, code) {
  const error = await promise.then(() => assert.fail("there was no error"), (reason) => reason);
  assert.deepEqual([error.statusCode, error.details?.odataError?.code], [status, code], `${error.stack}`);
}

const keys = (entities) => entities.map((entity) => `${entity.partitionKey}/${entity.rowKey}`);

await scenario("creates, lists and deletes tables", async () => {
  const table = await freshTable();
  const found = await all(service.listTables({ queryOptions: { filter: odata`TableName eq ${table.tableName}` } }));
  assert.deepEqual(found.map((each) => each.name), [table.tableName]);
  await table.createTable();  // this SDK takes "is there already" for a success
  await table.deleteTable();
  assert.deepEqual(await all(service.listTables({ queryOptions: { filter: odata`TableName eq ${table.tableName}` } })), []);
  await refused(table.getEntity("p", "r"), 404, "TableNotFound");
});

await scenario("keeps every type of EDM", async () => {
  const table = await freshTable();
  const entity = {
    partitionKey: "p 'quoted' %2F", rowKey: "r æ–—",
    text: "<text> & \"more\"", empty: "", truth: true, int32: 2_147_483_647, double: 0.1,
    when: new Date("2024-02-29T12:34:56.789Z"), int64: 9_223_372_036_854_775_807n, binary: new Uint8Array([0, 1, 255]),
    guid: { type: "Guid", value: "11111111-2222-3333-4444-555555555555" },
    exactly: { type: "DateTime", value: "2024-02-29T12:34:56.1234567Z" },
    nan: { type: "Double", value: "NaN" }, infinite: { type: "Double", value: "-Infinity" },
    whole: { type: "Double", value: "1" },
  };
  await table.createEntity(entity);
  const got = await table.getEntity(entity.partitionKey, entity.rowKey);
  for (const name of ["partitionKey", "rowKey", "text", "empty", "truth", "int32", "double", "when", "int64"]) {
    assert.deepEqual(got[name], entity[name], name);
  }
  assert.deepEqual([...got.binary], [0, 1, 255]);
  const typed = await table.getEntity(entity.partitionKey, entity.rowKey, { disableTypeConversion: true });
  assert.deepEqual(typed.exactly, entity.exactly);
  assert.deepEqual(typed.guid, entity.guid);
  assert.deepEqual([typed.nan.value, typed.infinite.value, Number(typed.whole.value)], ["NaN", "-Infinity", 1]);
  assert.ok(got.etag && got.timestamp);
});

await scenario("merges, replaces, upserts and deletes, with ETags", async () => {
  const table = await freshTable();
  await table.createEntity({ partitionKey: "p", rowKey: "r", a: 1, b: 2 });
  await refused(table.createEntity({ partitionKey: "p", rowKey: "r" }), 409, "EntityAlreadyExists");
  const { etag } = await table.getEntity("p", "r");
  await table.updateEntity({ partitionKey: "p", rowKey: "r", b: 3 }, "Merge", { etag });
  await assert.rejects(table.updateEntity({ partitionKey: "p", rowKey: "r", b: 4 }, "Merge", { etag }), { statusCode: 412 });
  const merged = await table.getEntity("p", "r");
  assert.deepEqual([merged.a, merged.b], [1, 3]);
  await table.updateEntity({ partitionKey: "p", rowKey: "r", c: 5 }, "Replace");
  const replaced = await table.getEntity("p", "r");
  assert.deepEqual([replaced.a, replaced.c], [undefined, 5]);
  await table.upsertEntity({ partitionKey: "p", rowKey: "r", d: 6 }, "Merge");
  await table.upsertEntity({ partitionKey: "p", rowKey: "new", d: 7 }, "Replace");
  assert.equal((await table.getEntity("p", "r")).c, 5);
  await assert.rejects(table.deleteEntity("p", "r", { etag }), { statusCode: 412 });
  await table.deleteEntity("p", "r");
  await refused(table.getEntity("p", "r"), 404, "ResourceNotFound");
});

await scenario("queries by keys and properties, selects, and pages", async () => {
  const table = await freshTable();
  for (const partitionKey of ["a", "b"]) {
    for (let number = 0; number < 10; number += 1) {
      await table.createEntity({ partitionKey, rowKey: `${number}`, number, even: number % 2 === 0, when: new Date(number * 1000), big: BigInt(number) });
    }
  }
  const find = async (filter, select) => all(table.listEntities({ queryOptions: { filter, select } }));
  assert.deepEqual(keys(await find(odata`PartitionKey eq ${"a"} and RowKey ge ${"8"}`)), ["a/8", "a/9"]);
  assert.deepEqual(keys(await find(odata`number lt ${2} and even eq ${true}`)), ["a/0", "b/0"]);
  assert.deepEqual(keys(await find(odata`(number eq ${3} or big eq ${4n}) and PartitionKey ne ${"b"}`)), ["a/3", "a/4"]);
  assert.deepEqual(keys(await find(odata`when ge ${new Date(9000)}`)), ["a/9", "b/9"]);
  assert.deepEqual(keys(await find("not (number lt 9)")), ["a/9", "b/9"]);
  const [selected] = await find(odata`PartitionKey eq ${"a"}`, ["number"]);
  assert.deepEqual([selected.number, selected.even], [0, undefined]);
  const pages = await all(table.listEntities().byPage({ maxPageSize: 8 }));
  assert.deepEqual(pages.map((page) => page.length), [8, 8, 4]);
  await refused(find("number near 5"), 400, "InvalidInput");
});

await scenario("submits transactions, all or nothing", async () => {
  const table = await freshTable();
  const transaction = new TableTransaction();
  for (let number = 0; number < 50; number += 1) transaction.createEntity({ partitionKey: "p", rowKey: `${number}`, number });
  transaction.upsertEntity({ partitionKey: "p", rowKey: "x", number: 100 }, "Replace");
  const { status, subResponses } = await table.submitTransaction(transaction.actions);
  assert.deepEqual([status, subResponses.length, subResponses[0].status], [202, 51, 204]);
  const halfBad = table.submitTransaction([
    ["delete", { partitionKey: "p", rowKey: "x" }],
    ["create", { partitionKey: "p", rowKey: "0" }],
  ]);
  await assert.rejects(halfBad, { statusCode: 409, code: "EntityAlreadyExists" });
  assert.equal((await table.getEntity("p", "x")).number, 100);
  await table.submitTransaction([
    ["update", { partitionKey: "p", rowKey: "0", more: 1 }, "Merge"],
    ["update", { partitionKey: "p", rowKey: "1", more: 1 }, "Replace"],
    ["delete", { partitionKey: "p", rowKey: "x" }],
  ]);
  assert.deepEqual([(await table.getEntity("p", "0")).number, (await table.getEntity("p", "1")).number], [0, undefined]);
});

await scenario("gives access by signature and by stored policy", async () => {
  const table = await freshTable();
  await table.createEntity({ partitionKey: "p", rowKey: "r" });
  const name = table.tableName;
  const withToken = (token) => new TableClient(parts.TableEndpoint, name, new AzureSASCredential(token), options);
  const reader = withToken(generateTableSas(name, credential, { permissions: { query: true }, expiresOn: inAnHour() }));
  assert.deepEqual(keys(await all(reader.listEntities())), ["p/r"]);
  await refused(reader.createEntity({ partitionKey: "p", rowKey: "s" }), 403, "AuthorizationPermissionMismatch");
  await table.setAccessPolicy([{ id: "p", accessPolicy: { permission: "ra", start: new Date(Date.now() - 60_000), expiry: inAnHour() } }]);
  const [policy] = await table.getAccessPolicy();
  assert.deepEqual([policy.id, policy.accessPolicy.permission], ["p", "ra"]);
  const byPolicy = withToken(generateTableSas(name, credential, { identifier: "p" }));
  await byPolicy.createEntity({ partitionKey: "p", rowKey: "s" });
  const account = withToken(generateAccountSas(credential, { permissions: { list: true, query: true, write: true }, expiresOn: inAnHour() }));
  assert.deepEqual(keys(await all(account.listEntities())), ["p/r", "p/s"]);
});

await scenario("reads and sets the properties of the service", async () => {
  const before = await service.getProperties();
  const cors = [{ allowedOrigins: "*", allowedMethods: "GET", allowedHeaders: "*", exposedHeaders: "*", maxAgeInSeconds: 5 }];
  await service.setProperties({ ...before, cors });
  assert.deepEqual((await service.getProperties()).cors, cors);
  await service.setProperties({ ...before, cors: [] });
});
