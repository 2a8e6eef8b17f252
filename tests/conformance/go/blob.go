package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/appendblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/pageblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
)

const mebibyte = 1024 * 1024

// once makes a client try a request once.
func once() policy.ClientOptions {
	return policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}
}

func body(text string) io.ReadSeekCloser {
	return streaming.NopCloser(strings.NewReader(text))
}

func inAnHour() time.Time {
	return time.Now().Add(time.Hour)
}

// Blob storage with azblob.
func blobs() {
	account := must(service.NewClientFromConnectionString(os.Getenv("STORAGE"), &service.ClientOptions{ClientOptions: once()}))
	fresh := func(ctx context.Context, options *container.CreateOptions) (*container.Client, string) {
		made++
		name := fmt.Sprintf("go-%d-%d", os.Getpid(), made)
		within := account.NewContainerClient(name)
		must(within.Create(ctx, options))
		return within, name
	}
	upload := func(ctx context.Context, within *container.Client, name, text string) *blockblob.Client {
		client := within.NewBlockBlobClient(name)
		must(client.Upload(ctx, body(text), nil))
		return client
	}

	scenario("creates, describes, lists and deletes containers", func(ctx context.Context) {
		within, name := fresh(ctx, &container.CreateOptions{Metadata: map[string]*string{"color": to("red")}})
		equal("red", *must(within.GetProperties(ctx, nil)).Metadata["Color"])
		must(within.SetMetadata(ctx, &container.SetMetadataOptions{Metadata: map[string]*string{"color": to("blue")}}))
		options := &service.ListContainersOptions{Prefix: &name, Include: service.ListContainersInclude{Metadata: true}}
		listed := must(account.NewListContainersPager(options).NextPage(ctx)).ContainerItems
		equal(1, len(listed))
		equal("blue", *listed[0].Metadata["color"])
		_, err := within.Create(ctx, nil)
		refusedWith(http.StatusConflict, err, "ContainerAlreadyExists")
		must(within.Delete(ctx, nil))
		_, err = within.GetProperties(ctx, nil)
		refusedWith(http.StatusNotFound, err, "ContainerNotFound")
	})

	scenario("uploads and downloads with headers and metadata", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		client := within.NewBlockBlobClient("folder/ü & 'text'.txt")
		must(client.Upload(ctx, body("hello"), &blockblob.UploadOptions{
			HTTPHeaders: &blob.HTTPHeaders{BlobContentType: to("text/plain"), BlobCacheControl: to("no-store")},
			Metadata:    map[string]*string{"one": to("1")},
			Tier:        to(blob.AccessTierCool),
		}))
		properties := must(client.GetProperties(ctx, nil))
		equal([]string{"text/plain", "no-store", "1", "Cool"},
			[]string{*properties.ContentType, *properties.CacheControl, *properties.Metadata["One"], *properties.AccessTier})
		equal("hello", download(ctx, client.BlobClient()))
		part := must(client.DownloadStream(ctx, &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: 1, Count: 3}}))
		equal("ell", string(must(io.ReadAll(part.Body))))
		must(client.SetHTTPHeaders(ctx, blob.HTTPHeaders{BlobContentType: to("text/html")}, nil))
		equal("text/html", *must(client.GetProperties(ctx, nil)).ContentType)
	})

	scenario("uploads more than 256 MiB in parallel blocks", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		client := within.NewBlockBlobClient("large")
		content := bytes.Repeat(must(random(8*mebibyte)), 33) // up to 256 MiB this SDK sends at once
		for at := 0; at < len(content); at += 8 * mebibyte {
			binary.BigEndian.PutUint32(content[at:], uint32(at))
		}
		must(client.UploadBuffer(ctx, content, &blockblob.UploadBufferOptions{BlockSize: 8 * mebibyte, Concurrency: 8}))
		equal(33, len(must(client.GetBlockList(ctx, blockblob.BlockListTypeCommitted, nil)).CommittedBlocks))
		back := make([]byte, len(content))
		must(client.DownloadBuffer(ctx, back, &blob.DownloadBufferOptions{BlockSize: 8 * mebibyte, Concurrency: 8}))
		check(bytes.Equal(content, back), "it came back as something else")
		must(client.Delete(ctx, nil))
	})

	scenario("streams up and down", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		client := within.NewBlockBlobClient("streamed")
		content := must(random(12*mebibyte + 5))
		options := &blockblob.UploadStreamOptions{BlockSize: 4 * mebibyte, Concurrency: 3}
		must(client.UploadStream(ctx, bytes.NewReader(content), options))
		check(download(ctx, client.BlobClient()) == string(content), "it came back as something else")
	})

	scenario("stages, lists and commits blocks", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		client := within.NewBlockBlobClient("blocks")
		var ids []string
		for number := range 3 {
			ids = append(ids, base64.StdEncoding.EncodeToString([]byte{byte(number)}))
			must(client.StageBlock(ctx, ids[number], body(fmt.Sprint(number)), nil))
		}
		equal(3, len(must(client.GetBlockList(ctx, blockblob.BlockListTypeUncommitted, nil)).UncommittedBlocks))
		must(client.CommitBlockList(ctx, []string{ids[2], ids[0]}, nil))
		equal("20", download(ctx, client.BlobClient()))
		_, err := client.CommitBlockList(ctx, []string{"enp6"}, nil)
		refusedWith(http.StatusBadRequest, err, "InvalidBlockList")
	})

	scenario("lists flat, by hierarchy and in pages", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		wanted := []string{"a/1", "a/2", "a/b/3", "c", "d/4", "é"}
		for _, name := range wanted {
			upload(ctx, within, name, "x")
		}
		var found []string
		var pages []int
		for pager := within.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{MaxResults: to(int32(4))}); pager.More(); {
			items := must(pager.NextPage(ctx)).Segment.BlobItems
			pages = append(pages, len(items))
			for _, item := range items {
				found = append(found, *item.Name)
			}
		}
		equal(wanted, found)
		equal([]int{4, 2}, pages)
		level := must(within.NewListBlobsHierarchyPager("/", nil).NextPage(ctx)).Segment
		equal([]string{"a/", "d/", "c", "é"}, []string{*level.BlobPrefixes[0].Name, *level.BlobPrefixes[1].Name,
			*level.BlobItems[0].Name, *level.BlobItems[1].Name})
	})

	scenario("leases blobs and containers", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		client := upload(ctx, within, "leased", "x")
		held := must(lease.NewBlobClient(client, nil))
		must(held.AcquireLease(ctx, 15, nil))
		_, err := client.Upload(ctx, body("y"), nil)
		refusedWith(http.StatusPreconditionFailed, err, "LeaseIdMissing")
		conditions := &blob.AccessConditions{LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: held.LeaseID()}}
		must(client.Upload(ctx, body("y"), &blockblob.UploadOptions{AccessConditions: conditions}))
		must(held.RenewLease(ctx, nil))
		must(held.ChangeLease(ctx, "11111111-2222-3333-4444-555555555555", nil))
		equal(lease.StateTypeLeased, *must(client.GetProperties(ctx, nil)).LeaseState)
		must(held.BreakLease(ctx, &lease.BlobBreakOptions{BreakPeriod: to(int32(0))}))
		whole := must(lease.NewContainerClient(within, nil))
		must(whole.AcquireLease(ctx, -1, nil))
		_, err = within.Delete(ctx, nil)
		refusedWith(http.StatusPreconditionFailed, err, "LeaseIdMissing")
		must(whole.ReleaseLease(ctx, nil))
		must(within.Delete(ctx, nil))
	})

	scenario("takes snapshots and reads the past", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		client := upload(ctx, within, "moving", "old")
		snapshot := *must(client.CreateSnapshot(ctx, nil)).Snapshot
		must(client.Upload(ctx, body("new"), nil))
		past := must(client.WithSnapshot(snapshot))
		equal("old new", download(ctx, past.BlobClient())+" "+download(ctx, client.BlobClient()))
		_, err := client.Delete(ctx, nil)
		refusedWith(http.StatusConflict, err, "SnapshotsPresent")
		must(client.Delete(ctx, &blob.DeleteOptions{DeleteSnapshots: to(blob.DeleteSnapshotsOptionTypeInclude)}))
	})

	scenario("copies from a URL, at once and behind", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		source := upload(ctx, within, "source", "copied")
		url := must(source.GetSASURL(sas.BlobPermissions{Read: true}, inAnHour(), nil))
		behind := within.NewBlobClient("behind")
		must(behind.StartCopyFromURL(ctx, url, nil))
		for *must(behind.GetProperties(ctx, nil)).CopyStatus == blob.CopyStatusTypePending {
			time.Sleep(20 * time.Millisecond)
		}
		atOnce := within.NewBlobClient("at-once")
		must(atOnce.CopyFromURL(ctx, url, nil))
		put := within.NewBlockBlobClient("put")
		must(put.UploadBlobFromURL(ctx, url, nil))
		must(put.StageBlockFromURL(ctx, "AAAA", url, &blockblob.StageBlockFromURLOptions{Range: blob.HTTPRange{Offset: 3, Count: 3}}))
		equal("copied copied copied", strings.Join([]string{download(ctx, behind), download(ctx, atOnce), download(ctx, put.BlobClient())}, " "))
		must(put.CommitBlockList(ctx, []string{"AAAA"}, nil))
		equal("ied", download(ctx, put.BlobClient()))
	})

	scenario("obeys conditions", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		client := within.NewBlockBlobClient("conditional")
		when := func(conditions blob.ModifiedAccessConditions) *blockblob.UploadOptions {
			return &blockblob.UploadOptions{AccessConditions: &blob.AccessConditions{ModifiedAccessConditions: &conditions}}
		}
		isNew := when(blob.ModifiedAccessConditions{IfNoneMatch: to(azcore.ETagAny)})
		etag := must(client.Upload(ctx, body("1"), isNew)).ETag
		_, err := client.Upload(ctx, body("2"), isNew)
		refusedWith(http.StatusConflict, err, "BlobAlreadyExists")
		must(client.Upload(ctx, body("2"), when(blob.ModifiedAccessConditions{IfMatch: etag})))
		_, err = client.Upload(ctx, body("3"), when(blob.ModifiedAccessConditions{IfMatch: etag}))
		refusedWith(http.StatusPreconditionFailed, err, "ConditionNotMet")
	})

	scenario("tags blobs and finds them", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		tag := fmt.Sprintf("t%d", os.Getpid())
		for name, value := range map[string]string{"a": "1", "b": "2"} {
			must(upload(ctx, within, name, "x").SetTags(ctx, map[string]string{tag: value, "other": "x y"}, nil))
		}
		equal(2, len(must(within.NewBlobClient("b").GetTags(ctx, nil)).BlobTagSet))
		found := must(account.FilterBlobs(ctx, fmt.Sprintf("\"%s\" >= '2'", tag), nil)).Blobs
		equal(1, len(found))
		equal("b", *found[0].Name)
		equal(2, len(must(within.FilterBlobs(ctx, fmt.Sprintf("\"%s\" > '0'", tag), nil)).Blobs))
	})

	scenario("appends", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		client := within.NewAppendBlobClient("log")
		must(client.Create(ctx, nil))
		for _, line := range []string{"one\n", "two\n"} {
			must(client.AppendBlock(ctx, body(line), nil))
		}
		at := &appendblob.AppendPositionAccessConditions{AppendPosition: to(int64(1))}
		_, err := client.AppendBlock(ctx, body("x"), &appendblob.AppendBlockOptions{AppendPositionAccessConditions: at})
		refusedWith(http.StatusPreconditionFailed, err, "AppendPositionConditionNotMet")
		equal("one\ntwo\n", download(ctx, client.BlobClient()))
		must(client.Seal(ctx, nil))
		_, err = client.AppendBlock(ctx, body("x"), nil)
		refusedWith(http.StatusConflict, err, "BlobIsSealed")
	})

	scenario("writes, clears and lists pages", func(ctx context.Context) {
		within, _ := fresh(ctx, nil)
		client := within.NewPageBlobClient("disk")
		must(client.Create(ctx, 4096, nil))
		pages := streaming.NopCloser(bytes.NewReader(bytes.Repeat([]byte{1}, 1024)))
		must(client.UploadPages(ctx, pages, blob.HTTPRange{Count: 1024}, nil))
		must(client.ClearPages(ctx, blob.HTTPRange{Offset: 512, Count: 512}, nil))
		ranges := must(client.NewGetPageRangesPager(nil).NextPage(ctx)).PageRange
		equal(1, len(ranges))
		equal([]int64{0, 511}, []int64{*ranges[0].Start, *ranges[0].End})
		must(client.Resize(ctx, 8192, nil))
		update := &pageblob.UpdateSequenceNumberOptions{ActionType: to(pageblob.SequenceNumberActionTypeUpdate), SequenceNumber: to(int64(7))}
		must(client.UpdateSequenceNumber(ctx, update))
		properties := must(client.GetProperties(ctx, nil))
		equal([]int64{8192, 7}, []int64{*properties.ContentLength, *properties.BlobSequenceNumber})
	})

	scenario("gives access by signature, to a blob, a container and the account", func(ctx context.Context) {
		within, name := fresh(ctx, nil)
		client := upload(ctx, within, "shared", "open")
		url := must(client.GetSASURL(sas.BlobPermissions{Read: true}, inAnHour(), nil))
		reader := must(blockblob.NewClientWithNoCredential(url, &blockblob.ClientOptions{ClientOptions: once()}))
		equal("open", download(ctx, reader.BlobClient()))
		_, err := reader.Upload(ctx, body("no"), nil)
		refusedWith(http.StatusForbidden, err, "AuthorizationPermissionMismatch")
		url = must(within.GetSASURL(sas.ContainerPermissions{List: true}, inAnHour(), nil))
		lister := must(container.NewClientWithNoCredential(url, nil))
		equal(1, len(must(lister.NewListBlobsFlatPager(nil).NextPage(ctx)).Segment.BlobItems))
		url = must(account.GetSASURL(sas.AccountResourceTypes{Service: true, Container: true, Object: true},
			sas.AccountPermissions{Read: true}, inAnHour(), nil))
		whole := must(service.NewClientWithNoCredential(url, nil))
		equal("open", download(ctx, whole.NewContainerClient(name).NewBlobClient("shared")))
	})

	scenario("deletes and sets tiers in batches, of a container and of the account", func(ctx context.Context) {
		within, name := fresh(ctx, nil)
		for _, each := range []string{"a", "b", "c"} {
			upload(ctx, within, each, "x")
		}
		inContainer := must(within.NewBatchBuilder())
		try(inContainer.Delete("a", nil))
		try(inContainer.Delete("nothing", nil))
		responses := must(within.SubmitBatch(ctx, inContainer, nil)).Responses
		check(responses[0].Error == nil && responses[1].Error != nil, fmt.Sprint(responses))
		inAccount := must(account.NewBatchBuilder())
		try(inAccount.SetTier(name, "b", blob.AccessTierCool, nil))
		try(inAccount.SetTier(name, "c", blob.AccessTierCool, nil))
		for _, response := range must(account.SubmitBatch(ctx, inAccount, nil)).Responses {
			try(response.Error)
		}
		equal("Cool", *must(within.NewBlobClient("c").GetProperties(ctx, nil)).AccessTier)
	})
}

func random(count int) ([]byte, error) {
	content := make([]byte, count)
	_, err := rand.Read(content)
	return content, err
}

func download(ctx context.Context, client *blob.Client) string {
	reply := must(client.DownloadStream(ctx, nil))
	content := must(io.ReadAll(reply.Body))
	try(reply.Body.Close())
	return string(content)
}
