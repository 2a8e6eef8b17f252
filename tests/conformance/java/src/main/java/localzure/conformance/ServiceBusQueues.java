package localzure.conformance;

import static localzure.conformance.Namespace.bodies;
import static localzure.conformance.Namespace.builder;
import static localzure.conformance.Namespace.deleting;
import static localzure.conformance.Namespace.freshQueue;
import static localzure.conformance.Namespace.receive;
import static localzure.conformance.Namespace.receiver;
import static localzure.conformance.Namespace.refused;
import static localzure.conformance.Namespace.send;
import static localzure.conformance.Scenarios.check;
import static localzure.conformance.Scenarios.equal;
import static localzure.conformance.Scenarios.scenario;

import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusMessageBatch;
import com.azure.messaging.servicebus.ServiceBusProcessorClient;
import com.azure.messaging.servicebus.ServiceBusException;
import com.azure.messaging.servicebus.ServiceBusFailureReason;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverAsyncClient;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.ServiceBusSenderClient;
import com.azure.messaging.servicebus.administration.models.CreateQueueOptions;
import com.azure.messaging.servicebus.models.AbandonOptions;
import com.azure.messaging.servicebus.models.CreateMessageBatchOptions;
import com.azure.messaging.servicebus.models.DeadLetterOptions;
import com.azure.messaging.servicebus.models.DeferOptions;
import com.azure.messaging.servicebus.models.ServiceBusMessageState;
import com.azure.messaging.servicebus.models.ServiceBusReceiveMode;
import com.azure.messaging.servicebus.models.SubQueue;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import reactor.core.publisher.Mono;

/** Queues of Service Bus with azure-messaging-servicebus: sending, settling, peeking, scheduling, deferring, dead letters. */
final class ServiceBusQueues {
    private ServiceBusQueues() {
    }

    public static void main(String[] arguments) {
        scenario("keeps every property of a message", ServiceBusQueues::properties);
        scenario("sends one, several and a batch, in order", ServiceBusQueues::sending);
        scenario("settles in each of the five ways", ServiceBusQueues::settling);
        scenario("renews a lock, and knows a lost one", ServiceBusQueues::locks);
        scenario("peeks without locking, from a sequence number on", ServiceBusQueues::peeking);
        scenario("schedules and cancels", ServiceBusQueues::scheduling);
        scenario("receives several deferred messages", ServiceBusQueues::deferring);
        scenario("dead-letters after too many deliveries, and when the time to live is over", ServiceBusQueues::deadLetters);
        scenario("processes messages with many at once", ServiceBusQueues::processing);
        scenario("receives asynchronously, and renews locks meanwhile", ServiceBusQueues::asynchronous);
        scenario("waits for what is sent after a receiver has waited in vain", ServiceBusQueues::waiting);
        scenario("names its refusals as Azure does", ServiceBusQueues::refusals);
        Scenarios.end();
    }

    private static void properties() {
        String queue = freshQueue();
        Map<String, Object> own = Map.of("text", "x", "int", 7, "long", 1L << 40, "double", 0.25, "yes", true, "id", new UUID(1, 2));
        ServiceBusMessage message = new ServiceBusMessage("æ–—")
            .setMessageId("id-1").setContentType("text/plain").setCorrelationId("correlation").setSubject("subject")
            .setTo("to").setReplyTo("reply").setReplyToSessionId("reply-session").setPartitionKey("session")
            .setSessionId("session").setTimeToLive(Duration.ofMinutes(1));
        message.getApplicationProperties().putAll(own);
        try (ServiceBusSenderClient sender = builder().sender().queueName(queue).buildClient()) {
            sender.sendMessage(message);
        }
        try (ServiceBusReceiverClient receiver = receiver(queue)) {
            ServiceBusReceivedMessage got = receive(receiver, 1).get(0);
            equal(List.of("æ–—", "id-1", "text/plain", "correlation", "subject", "to", "reply", "reply-session", "session", "session"),
                List.of(got.getBody().toString(), got.getMessageId(), got.getContentType(), got.getCorrelationId(), got.getSubject(),
                    got.getTo(), got.getReplyTo(), got.getReplyToSessionId(), got.getPartitionKey(), got.getSessionId()));
            equal(own, got.getApplicationProperties());
            equal(Duration.ofMinutes(1), got.getTimeToLive());
            equal(0L, got.getDeliveryCount());
            equal(ServiceBusMessageState.ACTIVE, got.getState());
            check(got.getSequenceNumber() > 0, "no sequence number");
            check(got.getLockedUntil().isAfter(OffsetDateTime.now()), "locked until " + got.getLockedUntil());
            equal(got.getEnqueuedTime().plusMinutes(1), got.getExpiresAt());
            receiver.complete(got);
        }
    }

    private static void sending() {
        String queue = freshQueue();
        try (ServiceBusSenderClient sender = builder().sender().queueName(queue).buildClient()) {
            sender.sendMessage(new ServiceBusMessage("0"));
            sender.sendMessages(List.of(new ServiceBusMessage("1"), new ServiceBusMessage("2")));
            ServiceBusMessageBatch batch = sender.createMessageBatch();
            IntStream.range(3, 100).forEach(number -> check(batch.tryAddMessage(new ServiceBusMessage("" + number)), "it is full"));
            sender.sendMessages(batch);
            ServiceBusMessageBatch small = sender.createMessageBatch(new CreateMessageBatchOptions().setMaximumSizeInBytes(1000));
            equal(true, small.tryAddMessage(new ServiceBusMessage("x".repeat(600))));
            equal(false, small.tryAddMessage(new ServiceBusMessage("x".repeat(600))));
        }
        try (ServiceBusReceiverClient receiver = deleting(queue)) {
            equal(IntStream.range(0, 100).mapToObj(Integer::toString).toList(), bodies(receive(receiver, 100)));
            equal(List.of(), bodies(receiver.receiveMessages(1, Duration.ofSeconds(1))));
        }
    }

    private static void settling() {
        String queue = freshQueue();
        send(queue, "complete", "abandon", "defer", "dead-letter", "delete");
        try (ServiceBusReceiverClient receiver = receiver(queue)) {
            List<ServiceBusReceivedMessage> received = receive(receiver, 4);
            receiver.complete(received.get(0));
            receiver.abandon(received.get(1), new AbandonOptions().setPropertiesToModify(Map.of("changed", 1)));
            receiver.defer(received.get(2), new DeferOptions().setPropertiesToModify(Map.of("changed", 2)));
            receiver.deadLetter(received.get(3), new DeadLetterOptions().setDeadLetterReason("R")
                .setDeadLetterErrorDescription("D").setPropertiesToModify(Map.of("changed", 3)));
            ServiceBusReceivedMessage deferred = receiver.receiveDeferredMessage(received.get(2).getSequenceNumber());
            equal(2, deferred.getApplicationProperties().get("changed"));
            receiver.complete(deferred);
        }
        try (ServiceBusReceiverClient receiver = deleting(queue)) {
            List<ServiceBusReceivedMessage> rest = receive(receiver, 2);
            equal(List.of("abandon", "delete"), bodies(rest));
            equal(1L, rest.get(0).getDeliveryCount());
            equal(Map.of("changed", 1), rest.get(0).getApplicationProperties());
            equal(List.of(), bodies(receiver.peekMessages(10)));
        }
        try (ServiceBusReceiverClient graveyard = builder().receiver().queueName(queue).subQueue(SubQueue.DEAD_LETTER_QUEUE)
            .disableAutoComplete().buildClient()) {
            ServiceBusReceivedMessage buried = receive(graveyard, 1).get(0);
            equal(List.of("R", "D"), List.of(buried.getDeadLetterReason(), buried.getDeadLetterErrorDescription()));
            equal(3, buried.getApplicationProperties().get("changed"));
            graveyard.complete(buried);
            equal(List.of(), bodies(graveyard.peekMessages(10)));
        }
    }

    private static void locks() throws InterruptedException {
        String queue = freshQueue(new CreateQueueOptions().setLockDuration(Duration.ofSeconds(5)));
        send(queue, "x");
        try (ServiceBusReceiverClient receiver = receiver(queue)) {
            ServiceBusReceivedMessage message = receive(receiver, 1).get(0);
            OffsetDateTime until = receiver.renewMessageLock(message);
            check(!until.isBefore(message.getEnqueuedTime().plusSeconds(5)), "it is locked until " + until);
            Thread.sleep(Duration.between(OffsetDateTime.now(), until).toMillis() + 300);
            refused(ServiceBusFailureReason.MESSAGE_LOCK_LOST, () -> receiver.complete(message));
        }
    }

    private static void peeking() {
        String queue = freshQueue();
        send(queue, "a", "b", "c");
        try (ServiceBusSenderClient sender = builder().sender().queueName(queue).buildClient()) {
            sender.scheduleMessage(new ServiceBusMessage("later"), OffsetDateTime.now().plusHours(1));
        }
        try (ServiceBusReceiverClient receiver = receiver(queue)) {
            List<ServiceBusReceivedMessage> peeked = new ArrayList<>();
            receiver.peekMessages(10).forEach(peeked::add);
            equal(List.of("a", "b", "c", "later"), bodies(peeked));
            equal(List.of(ServiceBusMessageState.ACTIVE, ServiceBusMessageState.SCHEDULED),
                List.of(peeked.get(0).getState(), peeked.get(3).getState()));
            equal(List.of("b", "c"), bodies(receiver.peekMessages(2, peeked.get(1).getSequenceNumber())));
        }
    }

    private static void scheduling() {
        String queue = freshQueue();
        OffsetDateTime soon = OffsetDateTime.now().plusNanos(1_500_000_000);
        try (ServiceBusSenderClient sender = builder().sender().queueName(queue).buildClient()) {
            List<Long> numbers = new ArrayList<>();
            sender.scheduleMessages(List.of(new ServiceBusMessage("a"), new ServiceBusMessage("b"), new ServiceBusMessage("c")), soon)
                .forEach(numbers::add);
            equal(3, numbers.size());
            sender.cancelScheduledMessage(numbers.get(1));
            sender.cancelScheduledMessage(numbers.get(1));  // this SDK takes "not found" for done
        }
        try (ServiceBusReceiverClient receiver = deleting(queue)) {
            equal(List.of("a", "c"), bodies(receive(receiver, 2)));
            check(!OffsetDateTime.now().isBefore(soon), "they came early");
        }
    }

    private static void deferring() {
        String queue = freshQueue();
        send(queue, "a", "b");
        try (ServiceBusReceiverClient receiver = receiver(queue)) {
            List<ServiceBusReceivedMessage> received = receive(receiver, 2);
            received.forEach(receiver::defer);
            equal(List.of(), bodies(receiver.receiveMessages(1, Duration.ofSeconds(1))));
            List<ServiceBusReceivedMessage> deferred = new ArrayList<>();
            receiver.receiveDeferredMessageBatch(received.stream().map(ServiceBusReceivedMessage::getSequenceNumber).toList())
                .forEach(deferred::add);
            equal(List.of("a", "b"), bodies(deferred));
            receiver.renewMessageLock(deferred.get(0));
            receiver.abandon(deferred.get(0));
            receiver.deadLetter(deferred.get(1));
            Scenarios.refused(ServiceBusException.class,
                () -> receiver.receiveDeferredMessage(received.get(1).getSequenceNumber()));
        }
    }

    private static void deadLetters() {
        String queue = freshQueue(new CreateQueueOptions().setMaxDeliveryCount(2).setDeadLetteringOnMessageExpiration(true));
        try (ServiceBusSenderClient sender = builder().sender().queueName(queue).buildClient()) {
            sender.sendMessage(new ServiceBusMessage("unlucky"));
            sender.sendMessage(new ServiceBusMessage("short").setTimeToLive(Duration.ofMillis(1)));
        }
        try (ServiceBusReceiverClient receiver = receiver(queue)) {
            for (long delivery = 0; delivery < 2; delivery += 1) {
                ServiceBusReceivedMessage message = receive(receiver, 1).get(0);
                equal("unlucky", message.getBody().toString());
                equal(delivery, message.getDeliveryCount());
                receiver.abandon(message);
            }
        }
        try (ServiceBusReceiverClient graveyard = builder().receiver().queueName(queue).subQueue(SubQueue.DEAD_LETTER_QUEUE)
            .receiveMode(ServiceBusReceiveMode.RECEIVE_AND_DELETE).buildClient()) {
            Map<String, String> reasons = new HashMap<>();
            receive(graveyard, 2).forEach(dead -> reasons.put(dead.getBody().toString(), dead.getDeadLetterReason()));
            equal(Map.of("unlucky", "MaxDeliveryCountExceeded", "short", "TTLExpiredException"), reasons);
        }
    }

    private static void processing() throws InterruptedException {
        String queue = freshQueue();
        Queue<String> seen = new ConcurrentLinkedQueue<>();
        Queue<Throwable> errors = new ConcurrentLinkedQueue<>();
        CountDownLatch all = new CountDownLatch(20);
        try (ServiceBusProcessorClient processor = builder().processor().queueName(queue).maxConcurrentCalls(4)
            .processMessage(context -> {
                seen.add(context.getMessage().getBody().toString());
                all.countDown();
            })
            .processError(context -> errors.add(context.getException()))
            .buildProcessorClient()) {
            processor.start();
            send(queue, IntStream.range(0, 20).mapToObj(Integer::toString).toArray(String[]::new));
            check(all.await(20, TimeUnit.SECONDS), seen.size() + " came of 20");
            processor.stop();
        }
        equal(List.of(), List.copyOf(errors));
        equal(IntStream.range(0, 20).boxed().toList(), seen.stream().map(Integer::valueOf).sorted().toList());
    }

    private static void asynchronous() {
        String queue = freshQueue(new CreateQueueOptions().setLockDuration(Duration.ofSeconds(5)));
        send(queue, IntStream.range(0, 10).mapToObj(Integer::toString).toArray(String[]::new));
        try (ServiceBusReceiverAsyncClient receiver = builder().receiver().queueName(queue)
            .disableAutoComplete().maxAutoLockRenewDuration(Duration.ofMinutes(1)).buildAsyncClient()) {
            List<String> seen = receiver.receiveMessages()
                .delayUntil(message -> message.getSequenceNumber() == 1 ? Mono.delay(Duration.ofSeconds(6)) : Mono.empty())
                .concatMap(message -> receiver.complete(message).thenReturn(message.getBody().toString()))
                .take(10)  // last, because it closes the link
                .collectList().block(Duration.ofSeconds(40));
            equal(IntStream.range(0, 10).mapToObj(Integer::toString).toList(), seen);
        }
        try (ServiceBusReceiverClient receiver = receiver(queue)) {
            equal(List.of(), bodies(receiver.peekMessages(10)));
        }
    }

    private static void waiting() throws InterruptedException {
        String queue = freshQueue();
        try (ServiceBusReceiverClient receiver = receiver(queue)) {
            equal(List.of(), bodies(receiver.receiveMessages(1, Duration.ofSeconds(1))));
            Thread sender = new Thread(() -> send(queue, "late"));
            sender.start();
            equal(List.of("late"), bodies(receive(receiver, 1)));
            sender.join();
        }
    }

    private static void refusals() {
        String queue = freshQueue();
        refused(ServiceBusFailureReason.MESSAGING_ENTITY_NOT_FOUND, () -> send("java-nothing", "x"));
        refused(ServiceBusFailureReason.MESSAGE_SIZE_EXCEEDED, () -> {
            try (ServiceBusSenderClient sender = builder().sender().queueName(queue).buildClient()) {
                sender.sendMessage(new ServiceBusMessage("x".repeat(2_000_000)));
            }
        });
        refused(ServiceBusFailureReason.UNAUTHORIZED, () -> {
            String forged = Namespace.PLAIN.replace("SharedAccessKey=", "SharedAccessKey=not");
            try (ServiceBusSenderClient sender = builder(forged).sender().queueName(queue).buildClient()) {
                sender.sendMessage(new ServiceBusMessage("x"));
            }
        });
    }
}
