package localzure.conformance;

import static localzure.conformance.Scenarios.check;
import static localzure.conformance.Scenarios.equal;
import static localzure.conformance.Scenarios.refused;
import static localzure.conformance.Scenarios.scenario;

import com.azure.core.util.BinaryData;
import com.azure.core.util.Context;
import com.azure.storage.blob.BlobClient;
import com.azure.storage.blob.BlobClientBuilder;
import com.azure.storage.blob.BlobContainerClient;
import com.azure.storage.blob.BlobServiceClient;
import com.azure.storage.blob.BlobServiceClientBuilder;
import com.azure.storage.blob.models.BlobErrorCode;
import com.azure.storage.blob.models.BlobHttpHeaders;
import com.azure.storage.blob.models.BlobItem;
import com.azure.storage.blob.models.BlobProperties;
import com.azure.storage.blob.models.BlobRange;
import com.azure.storage.blob.models.BlobStorageException;
import com.azure.storage.blob.models.BlockListType;
import com.azure.storage.blob.models.LeaseStateType;
import com.azure.storage.blob.models.PageRange;
import com.azure.storage.blob.models.ParallelTransferOptions;
import com.azure.storage.blob.options.BlobParallelUploadOptions;
import com.azure.storage.blob.sas.BlobSasPermission;
import com.azure.storage.blob.sas.BlobServiceSasSignatureValues;
import com.azure.storage.blob.specialized.AppendBlobClient;
import com.azure.storage.blob.specialized.BlobLeaseClient;
import com.azure.storage.blob.specialized.BlobLeaseClientBuilder;
import com.azure.storage.blob.specialized.PageBlobClient;
import com.azure.storage.common.policy.RequestRetryOptions;
import com.azure.storage.common.policy.RetryPolicyType;
import java.io.ByteArrayInputStream;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Blob storage with azure-storage-blob. */
final class Blobs {
    private static final BlobServiceClient SERVICE = new BlobServiceClientBuilder()
        .connectionString(System.getenv("STORAGE"))
        .retryOptions(new RequestRetryOptions(RetryPolicyType.FIXED, 1, (Duration) null, null, null, null))
        .buildClient();

    private static int made;

    private Blobs() {
    }

    public static void main(String[] arguments) {
        scenario("uploads and downloads with headers and metadata", Blobs::contents);
        scenario("uploads 64 MiB in parallel blocks", Blobs::parallel);
        scenario("lists flat and by hierarchy", Blobs::listing);
        scenario("leases blobs", Blobs::leases);
        scenario("takes snapshots and copies", Blobs::copies);
        scenario("appends and writes pages", Blobs::growing);
        scenario("tags blobs and finds them", Blobs::tags);
        scenario("gives access by signature", Blobs::signatures);
        scenario("talks over HTTPS", Blobs::secure);
        Scenarios.end();
    }

    private static BlobContainerClient fresh() {
        made += 1;
        return SERVICE.createBlobContainer("java-" + ProcessHandle.current().pid() + "-" + made);
    }

    private static BlobClient upload(BlobContainerClient container, String name, String text) {
        BlobClient blob = container.getBlobClient(name);
        blob.upload(BinaryData.fromString(text), true);
        return blob;
    }

    private static void refusedWith(BlobErrorCode code, Scenarios.Body body) {
        equal(code, refused(BlobStorageException.class, body).getErrorCode());
    }

    private static void contents() {
        BlobContainerClient container = fresh();
        BlobClient blob = container.getBlobClient("folder/ü & 'text'.txt");
        blob.uploadWithResponse(new BlobParallelUploadOptions(BinaryData.fromString("hello"))
            .setHeaders(new BlobHttpHeaders().setContentType("text/plain").setCacheControl("no-store"))
            .setMetadata(Map.of("one", "1")), null, Context.NONE);
        BlobProperties properties = blob.getProperties();
        equal(List.of("text/plain", "no-store", "1", 5L), List.of(properties.getContentType(), properties.getCacheControl(),
            properties.getMetadata().get("one"), properties.getBlobSize()));
        equal("hello", blob.downloadContent().toString());
        refusedWith(BlobErrorCode.BLOB_ALREADY_EXISTS, () -> blob.upload(BinaryData.fromString("again"), false));
        refusedWith(BlobErrorCode.CONTAINER_ALREADY_EXISTS, container::create);
        blob.delete();
        check(!blob.exists(), "it is there");
    }

    private static void parallel() {
        BlobClient blob = fresh().getBlobClient("large");
        byte[] content = new byte[64 << 20];
        new Random(1).nextBytes(content);
        ParallelTransferOptions options = new ParallelTransferOptions().setBlockSizeLong(8L << 20).setMaxConcurrency(4)
            .setMaxSingleUploadSizeLong(1L << 20);
        blob.uploadWithResponse(new BlobParallelUploadOptions(new ByteArrayInputStream(content)).setParallelTransferOptions(options),
            null, Context.NONE);
        equal(8, blob.getBlockBlobClient().listBlocks(BlockListType.COMMITTED).getCommittedBlocks().size());
        check(Arrays.equals(content, blob.downloadContent().toBytes()), "it came back as something else");
    }

    private static void listing() {
        BlobContainerClient container = fresh();
        List<String> wanted = List.of("a/1", "a/b/2", "c", "é");
        wanted.forEach(name -> upload(container, name, "x"));
        equal(wanted, container.listBlobs().stream().map(BlobItem::getName).toList());
        equal(List.of("a/", "c", "é"), container.listBlobsByHierarchy("/", null, null).stream().map(BlobItem::getName).sorted().toList());
    }

    private static void leases() {
        BlobClient blob = upload(fresh(), "leased", "x");
        BlobLeaseClient lease = new BlobLeaseClientBuilder().blobClient(blob).buildClient();
        lease.acquireLease(15);
        refusedWith(BlobErrorCode.LEASE_ID_MISSING, () -> blob.upload(BinaryData.fromString("y"), true));
        equal(LeaseStateType.LEASED, blob.getProperties().getLeaseState());
        lease.renewLease();
        lease.releaseLease();
        blob.upload(BinaryData.fromString("y"), true);
    }

    private static void copies() {
        BlobContainerClient container = fresh();
        BlobClient blob = upload(container, "moving", "old");
        BlobClient past = container.getBlobClient("moving", blob.createSnapshot().getSnapshotId());
        upload(container, "moving", "new");
        equal("old", past.downloadContent().toString());
        String url = blob.getBlobUrl() + "?" + signature(blob);
        BlobClient copy = container.getBlobClient("copy");
        copy.beginCopy(url, Duration.ofMillis(100)).waitForCompletion();
        equal("new", copy.downloadContent().toString());
        BlobClient atOnce = container.getBlobClient("at-once");
        atOnce.copyFromUrl(url);
        equal("new", atOnce.downloadContent().toString());
    }

    private static void growing() {
        BlobContainerClient container = fresh();
        AppendBlobClient log = container.getBlobClient("log").getAppendBlobClient();
        log.create();
        for (String line : List.of("one\n", "two\n")) {
            log.appendBlock(new ByteArrayInputStream(line.getBytes()), line.length());
        }
        equal("one\ntwo\n", container.getBlobClient("log").downloadContent().toString());
        PageBlobClient disk = container.getBlobClient("disk").getPageBlobClient();
        disk.create(4096);
        disk.uploadPages(new PageRange().setStart(512).setEnd(1023), new ByteArrayInputStream(new byte[512]));
        equal(List.of(512L), disk.listPageRanges(new BlobRange(0)).stream()
            .map(range -> range.getRange().getOffset()).toList());
    }

    private static void tags() {
        BlobContainerClient container = fresh();
        String tag = "t" + ProcessHandle.current().pid();
        upload(container, "a", "x").setTags(Map.of(tag, "1"));
        upload(container, "b", "x").setTags(Map.of(tag, "2", "other", "x y"));
        equal(Map.of(tag, "1"), container.getBlobClient("a").getTags());
        equal(List.of("b"), SERVICE.findBlobsByTags("\"" + tag + "\" = '2'").stream().map(item -> item.getName()).toList());
    }

    private static String signature(BlobClient blob) {
        return blob.generateSas(new BlobServiceSasSignatureValues(OffsetDateTime.now().plusHours(1),
            new BlobSasPermission().setReadPermission(true)));
    }

    private static void signatures() {
        BlobClient blob = upload(fresh(), "shared", "open");
        BlobClient reader = new BlobClientBuilder().endpoint(blob.getBlobUrl()).sasToken(signature(blob)).buildClient();
        equal("open", reader.downloadContent().toString());
        refusedWith(BlobErrorCode.AUTHORIZATION_PERMISSION_MISMATCH, reader::delete);
    }

    private static void secure() {
        BlobContainerClient container = fresh();
        new BlobServiceClientBuilder().connectionString(System.getenv("STORAGE_TLS")).buildClient()
            .getBlobContainerClient(container.getBlobContainerName()).getBlobClient("a").upload(BinaryData.fromString("over TLS"));
        equal("over TLS", container.getBlobClient("a").downloadContent().toString());
    }
}
