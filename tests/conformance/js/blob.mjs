// Blob storage with @azure/storage-blob.

import assert from "node:assert/strict";
import { createHash, randomFillSync } from "node:crypto";
import { Readable } from "node:stream";
import {
  AnonymousCredential, BlobClient, BlobSASPermissions, BlobServiceClient, BlockBlobClient, ContainerClient,
  ContainerSASPermissions, AccountSASPermissions, AccountSASResourceTypes,
  AccountSASServices, SASProtocol,
} from "@azure/storage-blob";
import { scenario } from "./scenario.mjs";

const MIB = 1024 * 1024;
const service = BlobServiceClient.fromConnectionString(process.env.STORAGE, { retryOptions: { maxTries: 1 } });
let made = 0;

async function freshContainer(options) {
  made += 1;
  const container = service.getContainerClient(`js-${process.pid}-${made}`);
  await container.create(options);
  return container;
}

async function all(iterator) {
  const found = [];
  for await (const one of iterator) found.push(one);
  return found;
}

const names = (items) => items.map((item) => item.name);
const digest = (buffer) => createHash("sha256").update(buffer).digest("hex");
const inAnHour = () => new Date(Date.now() + 3_600_000);

async function text(blob, ...range) {
  return (await blob.downloadToBuffer(...range)).toString();
}

await scenario("creates, describes, lists and deletes containers", async () => {
  const container = await freshContainer({ metadata: { color: "red" }, access: "blob" });
  const properties = await container.getProperties();
  assert.deepEqual([properties.metadata, properties.blobPublicAccess], [{ color: "red" }, "blob"]);
  await container.setMetadata({ color: "blue" });
  const listed = await all(service.listContainers({ prefix: container.containerName, includeMetadata: true }));
  assert.deepEqual([names(listed), listed[0].metadata], [[container.containerName], { color: "blue" }]);
  await assert.rejects(container.create(), { statusCode: 409, code: "ContainerAlreadyExists" });
  assert.equal((await container.createIfNotExists()).succeeded, false);
  await container.delete();
  assert.equal(await container.exists(), false);
});

await scenario("uploads and downloads with headers and metadata", async () => {
  const container = await freshContainer();
  const blob = container.getBlockBlobClient("folder/ü & 'text'.txt");
  const content = Buffer.from("hello, wörld");
  const md5 = createHash("md5").update(content).digest();
  await blob.upload(content, content.length, {
    blobHTTPHeaders: { blobContentType: "text/plain", blobContentLanguage: "de", blobCacheControl: "no-store",
      blobContentDisposition: "inline", blobContentMD5: md5 },
    metadata: { one: "1" },
    tier: "Cool",
  });
  const properties = await blob.getProperties();
  assert.deepEqual(
    [properties.contentType, properties.contentLanguage, properties.cacheControl, properties.contentDisposition],
    ["text/plain", "de", "no-store", "inline"],
  );
  assert.deepEqual([properties.metadata, properties.accessTier, properties.contentLength], [{ one: "1" }, "Cool", content.length]);
  assert.ok(Buffer.from(properties.contentMD5).equals(md5));
  assert.equal(await text(blob), "hello, wörld");
  assert.equal(await text(blob, 0, 5), "hello");
  await blob.setHTTPHeaders({ blobContentType: "text/html" });
  await blob.setMetadata({ two: "2" });
  const changed = await blob.getProperties();
  assert.deepEqual([changed.contentType, changed.metadata], ["text/html", { two: "2" }]);
});

await scenario("uploads 256 MiB in parallel blocks", async () => {
  const container = await freshContainer();
  const blob = container.getBlockBlobClient("large");
  const content = Buffer.alloc(256 * MIB);
  randomFillSync(content, 0, 8 * MIB);
  for (let at = 8 * MIB; at < content.length; at += 8 * MIB) {
    content.copy(content, at, 0, 8 * MIB);
    content.writeUInt32BE(at, at);
  }
  const options = { blockSize: 8 * MIB, concurrency: 8 };
  await blob.uploadData(content, { ...options, maxSingleShotSize: MIB });
  assert.equal((await blob.getProperties()).contentLength, content.length);
  assert.equal((await blob.getBlockList("committed")).committedBlocks.length, 32);
  const back = await blob.downloadToBuffer(0, undefined, options);
  assert.equal(digest(back), digest(content));
  await blob.delete();
});

await scenario("streams up and down", async () => {
  const container = await freshContainer();
  const blob = container.getBlockBlobClient("streamed");
  const pieces = Array.from({ length: 40 }, (_, number) => Buffer.alloc(300_000, number));
  await blob.uploadStream(Readable.from(pieces), 4 * MIB, 4);
  const down = await blob.download();
  const hash = createHash("sha256");
  for await (const piece of down.readableStreamBody) hash.update(piece);
  assert.equal(hash.digest("hex"), digest(Buffer.concat(pieces)));
});

await scenario("stages, lists and commits blocks", async () => {
  const container = await freshContainer();
  const blob = container.getBlockBlobClient("blocks");
  const ids = ["a", "b", "c"].map((id) => Buffer.from(id).toString("base64"));
  for (const [at, id] of ids.entries()) await blob.stageBlock(id, `${at}`, 1);
  assert.deepEqual(names((await blob.getBlockList("uncommitted")).uncommittedBlocks).sort(), [...ids].sort());
  await blob.commitBlockList([ids[2], ids[0]]);
  assert.equal(await text(blob), "20");
  assert.deepEqual(names((await blob.getBlockList("all")).committedBlocks), [ids[2], ids[0]]);
  await assert.rejects(blob.commitBlockList([Buffer.from("z").toString("base64")]), { code: "InvalidBlockList" });
});

await scenario("lists flat, by hierarchy and in pages", async () => {
  const container = await freshContainer();
  const wanted = ["a/1", "a/2", "a/b/3", "c", "d/4", "é"];
  for (const name of wanted) await container.getBlockBlobClient(name).upload("x", 1);
  assert.deepEqual(names(await all(container.listBlobsFlat())), wanted);
  assert.deepEqual(names(await all(container.listBlobsFlat({ prefix: "a/" }))), ["a/1", "a/2", "a/b/3"]);
  const level = await all(container.listBlobsByHierarchy("/"));
  assert.deepEqual(level.map((item) => [item.kind, item.name]), [
    ["prefix", "a/"], ["prefix", "d/"], ["blob", "c"], ["blob", "é"],
  ]);
  assert.deepEqual(names(await all(container.listBlobsByHierarchy("/", { prefix: "a/" }))), ["a/b/", "a/1", "a/2"]);
  const pages = await all(container.listBlobsFlat().byPage({ maxPageSize: 4 }));
  assert.deepEqual(pages.map((page) => page.segment.blobItems.length), [4, 2]);
});

await scenario("leases blobs and containers", async () => {
  const container = await freshContainer();
  const blob = container.getBlockBlobClient("leased");
  await blob.upload("x", 1);
  const lease = blob.getBlobLeaseClient();
  const { leaseId } = await lease.acquireLease(15);
  await assert.rejects(blob.upload("y", 1), { statusCode: 412, code: "LeaseIdMissing" });
  await blob.upload("y", 1, { conditions: { leaseId } });
  await lease.renewLease();
  await lease.changeLease("11111111-2222-3333-4444-555555555555");
  const { leaseState, leaseDuration } = await blob.getProperties();
  assert.deepEqual([leaseState, leaseDuration], ["leased", "fixed"]);
  assert.equal((await lease.breakLease(0)).leaseTime, 0);
  await blob.upload("z", 1);
  const whole = container.getBlobLeaseClient();
  await whole.acquireLease(-1);
  await assert.rejects(container.delete(), { statusCode: 412 });
  await whole.releaseLease();
  await container.delete();
});

await scenario("takes snapshots and reads the past", async () => {
  const container = await freshContainer();
  const blob = container.getBlockBlobClient("moving");
  await blob.upload("old", 3);
  const { snapshot } = await blob.createSnapshot({ metadata: { taken: "yes" } });
  await blob.upload("new", 3);
  const past = blob.withSnapshot(snapshot);
  assert.deepEqual([await text(past), await text(blob)], ["old", "new"]);
  assert.equal((await past.getProperties()).metadata.taken, "yes");
  assert.equal((await all(container.listBlobsFlat({ includeSnapshots: true }))).length, 2);
  await assert.rejects(blob.delete(), { code: "SnapshotsPresent" });
  await blob.delete({ deleteSnapshots: "include" });
  assert.equal(await past.exists(), false);
});

await scenario("copies from a URL, at once and behind", async () => {
  const container = await freshContainer();
  const source = container.getBlockBlobClient("source");
  await source.upload("copied", 6, { metadata: { from: "source" } });
  const url = await source.generateSasUrl({ permissions: BlobSASPermissions.parse("r"), expiresOn: inAnHour() });
  const behind = container.getBlockBlobClient("behind");
  const poller = await behind.beginCopyFromURL(url);
  assert.equal((await poller.pollUntilDone()).copyStatus, "success");
  assert.deepEqual([await text(behind), (await behind.getProperties()).metadata], ["copied", { from: "source" }]);
  const atOnce = container.getBlockBlobClient("at-once");
  assert.equal((await atOnce.syncCopyFromURL(url)).copyStatus, "success");
  const put = container.getBlockBlobClient("put");
  await put.syncUploadFromURL(url);
  const staged = container.getBlockBlobClient("staged");
  await staged.stageBlockFromURL("AAAA", url, 3, 3);
  await staged.commitBlockList(["AAAA"]);
  assert.deepEqual([await text(atOnce), await text(put), await text(staged)], ["copied", "copied", "ied"]);
});

await scenario("obeys conditions", async () => {
  const container = await freshContainer();
  const blob = container.getBlockBlobClient("conditional");
  const { etag } = await blob.upload("1", 1, { conditions: { ifNoneMatch: "*" } });
  await assert.rejects(blob.upload("2", 1, { conditions: { ifNoneMatch: "*" } }), { code: "BlobAlreadyExists" });
  await blob.upload("2", 1, { conditions: { ifMatch: etag } });
  await assert.rejects(blob.upload("3", 1, { conditions: { ifMatch: etag } }), { code: "ConditionNotMet", statusCode: 412 });
  await assert.rejects(blob.download(0, undefined, { conditions: { ifModifiedSince: inAnHour() } }), { statusCode: 304 });
});

await scenario("tags blobs and finds them", async () => {
  const container = await freshContainer();
  const tag = `t${process.pid}`;
  for (const [name, value] of [["a", "1"], ["b", "2"], ["c", "1"]]) {
    await container.getBlockBlobClient(name).upload("x", 1, { tags: { [tag]: value } });
  }
  const blob = container.getBlobClient("b");
  assert.deepEqual((await blob.getTags()).tags, { [tag]: "2" });
  await blob.setTags({ [tag]: "3", other: "x y" });
  assert.deepEqual(names(await all(service.findBlobsByTags(`"${tag}" = '1'`))).sort(), ["a", "c"]);
  assert.deepEqual(names(await all(container.findBlobsByTags(`"${tag}" >= '2'`))), ["b"]);
  await assert.rejects(blob.getProperties({ conditions: { tagConditions: `"${tag}" = '2'` } }), { statusCode: 412 });
});

await scenario("appends", async () => {
  const container = await freshContainer();
  const blob = container.getAppendBlobClient("log");
  await blob.create();
  for (const line of ["one\n", "two\n"]) await blob.appendBlock(line, line.length);
  await assert.rejects(blob.appendBlock("x", 1, { conditions: { appendPosition: 1 } }), { code: "AppendPositionConditionNotMet" });
  await assert.rejects(blob.appendBlock("x", 1, { conditions: { maxSize: 8 } }), { code: "MaxBlobSizeConditionNotMet" });
  assert.equal(await text(blob), "one\ntwo\n");
  await blob.seal();
  await assert.rejects(blob.appendBlock("x", 1), { code: "BlobIsSealed" });
});

await scenario("writes, clears and lists pages", async () => {
  const container = await freshContainer();
  const blob = container.getPageBlobClient("disk");
  await blob.create(4096);
  await blob.uploadPages(Buffer.alloc(1024, 1), 0, 1024);
  await blob.uploadPages(Buffer.alloc(512, 2), 2048, 512);
  await blob.clearPages(512, 512);
  const ranges = await blob.getPageRanges(0, 4096);
  const last = ({ offset, count }) => offset + count;  // what this SDK calls the count is one too small
  assert.deepEqual(ranges.pageRange.map((range) => [range.offset, last(range)]), [[0, 511], [2048, 2559]]);
  const content = await blob.downloadToBuffer();
  assert.deepEqual([content.length, content[0], content[512], content[2048]], [4096, 1, 0, 2]);
  await blob.resize(8192);
  await blob.updateSequenceNumber("update", 7);
  const { contentLength, blobSequenceNumber } = await blob.getProperties();
  assert.deepEqual([contentLength, blobSequenceNumber], [8192, 7]);
});

await scenario("gives access by signature, to a blob, a container and the account", async () => {
  const container = await freshContainer();
  const blob = container.getBlockBlobClient("shared");
  await blob.upload("open", 4);
  const readUrl = await blob.generateSasUrl({
    permissions: BlobSASPermissions.parse("r"), expiresOn: inAnHour(), contentType: "text/x-own",
    protocol: SASProtocol.HttpsAndHttp,
  });
  const reader = new BlockBlobClient(readUrl, new AnonymousCredential());
  assert.equal((await reader.download()).contentType, "text/x-own");
  await assert.rejects(reader.upload("no", 2), { statusCode: 403, code: "AuthorizationPermissionMismatch" });
  const listUrl = await container.generateSasUrl({ permissions: ContainerSASPermissions.parse("l"), expiresOn: inAnHour() });
  assert.deepEqual(names(await all(new ContainerClient(listUrl).listBlobsFlat())), ["shared"]);
  const old = await blob.generateSasUrl({ permissions: BlobSASPermissions.parse("r"), expiresOn: new Date(Date.now() - 60_000) });
  await assert.rejects(new BlobClient(old).download(), { statusCode: 403, code: "AuthenticationFailed" });
  const account = service.generateAccountSasUrl(inAnHour(), AccountSASPermissions.parse("rl"),
    AccountSASResourceTypes.parse("sco").toString(), { services: AccountSASServices.parse("b").toString() });
  assert.equal(await text(new BlobServiceClient(account).getContainerClient(container.containerName).getBlobClient("shared")), "open");
  const forged = new BlobClient(readUrl.replace(/sig=[^&]{4}/, "sig=AAAA"));
  await assert.rejects(forged.download(), { statusCode: 403, code: "AuthenticationFailed" });
});

await scenario("gives access by stored policy, and takes it away", async () => {
  const container = await freshContainer();
  const blob = container.getBlockBlobClient("shared");
  await blob.upload("open", 4);
  await container.setAccessPolicy(undefined, [
    { id: "readers", accessPolicy: { permissions: "r", startsOn: new Date(Date.now() - 60_000), expiresOn: inAnHour() } },
  ]);
  const { signedIdentifiers } = await container.getAccessPolicy();
  assert.deepEqual(signedIdentifiers.map(({ id, accessPolicy }) => [id, accessPolicy.permissions]), [["readers", "r"]]);
  const url = await blob.generateSasUrl({ identifier: "readers" });
  assert.equal(await text(new BlobClient(url)), "open");
  await container.setAccessPolicy();
  await assert.rejects(new BlobClient(url).download(), { statusCode: 403 });
});

await scenario("deletes and sets tiers in batches", async () => {
  const container = await freshContainer();
  const blobs = ["a", "b", "c"].map((name) => container.getBlockBlobClient(name));
  for (const blob of blobs) await blob.upload("x", 1);
  const batch = service.getBlobBatchClient();
  const tiers = await batch.setBlobsAccessTier(blobs.slice(0, 2), "Cool");
  assert.equal(tiers.subResponsesSucceededCount, 2);
  const gone = await batch.deleteBlobs([...blobs, container.getBlobClient("nothing")]);
  assert.deepEqual([gone.subResponsesSucceededCount, gone.subResponsesFailedCount], [3, 1]);
});

await scenario("talks over HTTPS", async () => {
  const container = await freshContainer();
  const secure = BlobServiceClient.fromConnectionString(process.env.STORAGE_TLS);
  await secure.getContainerClient(container.containerName).getBlockBlobClient("a").upload("over TLS", 8);
  assert.equal(await text(container.getBlobClient("a")), "over TLS");
});

await scenario("reads and sets the properties of the service", async () => {
  const before = await service.getProperties();
  const cors = [{ allowedOrigins: "https://example.org", allowedMethods: "GET,PUT", allowedHeaders: "x-ms-*",
    exposedHeaders: "*", maxAgeInSeconds: 60 }];
  await service.setProperties({ ...before, cors });
  assert.deepEqual((await service.getProperties()).cors, cors);
  await service.setProperties({ ...before, cors: [] });
  assert.equal((await service.getAccountInfo()).accountKind, "StorageV2");
});

await scenario("queries what is in a blob", async () => {
  const container = await freshContainer();
  const blob = container.getBlockBlobClient("rows");
  const rows = Array.from({ length: 30_000 }, (_, number) => `${number},${number % 7}\n`).join("");
  await blob.upload(rows, rows.length);
  let loaded = 0;
  const errors = [];
  const options = { onProgress: (progress) => { loaded = progress.loadedBytes; }, onError: (error) => errors.push(error) };
  const query = async (expression, more) => {
    const { readableStreamBody } = await blob.query(expression, { ...options, ...more });
    return (await all(readableStreamBody)).join("");
  };
  const found = await query("SELECT _1 FROM BlobStorage WHERE _2 = 3");
  assert.equal(found.split("\n").length, 4287);
  assert.equal(loaded, rows.length);
  const json = { outputTextConfiguration: { kind: "json", recordSeparator: "\n" } };
  assert.equal(await query("SELECT * FROM BlobStorage LIMIT 1", json), '{"_1":"0","_2":"0"}\n');
  assert.deepEqual(errors, []);
  assert.equal(await query("SELECT _3 FROM BlobStorage LIMIT 1"), "");
  assert.equal(errors[0].name, "InvalidColumnOrdinal");
});
