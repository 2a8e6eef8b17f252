package localzure.conformance;

import static localzure.conformance.Namespace.bodies;
import static localzure.conformance.Namespace.builder;
import static localzure.conformance.Namespace.freshQueue;
import static localzure.conformance.Namespace.receive;
import static localzure.conformance.Namespace.send;
import static localzure.conformance.Scenarios.check;
import static localzure.conformance.Scenarios.equal;
import static localzure.conformance.Scenarios.refused;
import static localzure.conformance.Scenarios.scenario;

import com.azure.messaging.servicebus.ServiceBusClientBuilder;
import com.azure.messaging.servicebus.ServiceBusException;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusMessageBatch;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.ServiceBusSenderClient;
import com.azure.messaging.servicebus.ServiceBusTransactionContext;
import com.azure.messaging.servicebus.models.AbandonOptions;
import com.azure.messaging.servicebus.models.CompleteOptions;
import com.azure.messaging.servicebus.models.DeadLetterOptions;
import com.azure.messaging.servicebus.models.DeferOptions;
import com.azure.messaging.servicebus.models.SubQueue;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;

/** Transactions of Service Bus with azure-messaging-servicebus: sends and settlements that take effect together. */
final class ServiceBusTransactions {
    private ServiceBusTransactions() {
    }

    public static void main(String[] arguments) {
        scenario("commits what was sent in a transaction", ServiceBusTransactions::sending);
        scenario("commits settlements of each kind in a transaction", ServiceBusTransactions::settling);
        scenario("rolls sends and settlements back", ServiceBusTransactions::rollingBack);
        scenario("schedules and cancels in a transaction", ServiceBusTransactions::scheduling);
        scenario("spans several queues where the client is told to", ServiceBusTransactions::crossing);
        scenario("refuses a transaction over queues where it is not", ServiceBusTransactions::notCrossing);
        scenario("knows no transaction that has ended", ServiceBusTransactions::ended);
        Scenarios.end();
    }

    private static ServiceBusSenderClient sender(ServiceBusClientBuilder client, String queue) {
        return client.sender().queueName(queue).buildClient();
    }

    private static ServiceBusReceiverClient receiver(ServiceBusClientBuilder client, String queue) {
        return client.receiver().queueName(queue).maxAutoLockRenewDuration(Duration.ZERO).disableAutoComplete().buildClient();
    }

    private static List<String> there(String queue) {
        return there(queue, SubQueue.NONE);
    }

    private static List<String> there(String queue, SubQueue subQueue) {
        try (ServiceBusReceiverClient receiver = builder().receiver().queueName(queue).subQueue(subQueue).buildClient()) {
            List<ServiceBusReceivedMessage> found = new ArrayList<>();
            receiver.peekMessages(100).forEach(found::add);
            return bodies(found);
        }
    }

    private static void sending() {
        String queue = freshQueue();
        try (ServiceBusSenderClient sender = sender(builder(), queue)) {
            ServiceBusTransactionContext transaction = sender.createTransaction();
            sender.sendMessage(new ServiceBusMessage("one"), transaction);
            ServiceBusMessageBatch batch = sender.createMessageBatch();
            check(batch.tryAddMessage(new ServiceBusMessage("two")) && batch.tryAddMessage(new ServiceBusMessage("three")), "no room");
            sender.sendMessages(batch, transaction);
            equal(List.of(), there(queue));
            sender.commitTransaction(transaction);
        }
        equal(List.of("one", "two", "three"), there(queue));
    }

    private static void settling() {
        String queue = freshQueue();
        send(queue, "complete", "abandon", "defer", "dead");
        try (ServiceBusReceiverClient receiver = receiver(builder(), queue)) {
            List<ServiceBusReceivedMessage> received = receive(receiver, 4);
            ServiceBusTransactionContext transaction = receiver.createTransaction();
            receiver.complete(received.get(0), new CompleteOptions().setTransactionContext(transaction));
            receiver.abandon(received.get(1), new AbandonOptions().setTransactionContext(transaction));
            receiver.defer(received.get(2), new DeferOptions().setTransactionContext(transaction));
            receiver.deadLetter(received.get(3), new DeadLetterOptions().setDeadLetterReason("bad").setTransactionContext(transaction));
            equal(4, there(queue).size());
            receiver.commitTransaction(transaction);
            equal(List.of("abandon", "defer"), there(queue));
            equal(List.of("dead"), there(queue, SubQueue.DEAD_LETTER_QUEUE));
            ServiceBusReceivedMessage again = receive(receiver, 1).get(0);
            equal("abandon", again.getBody().toString());
            equal(1L, again.getDeliveryCount());
            ServiceBusReceivedMessage deferred = receiver.receiveDeferredMessage(received.get(2).getSequenceNumber());
            transaction = receiver.createTransaction();
            receiver.complete(again, new CompleteOptions().setTransactionContext(transaction));
            receiver.complete(deferred, new CompleteOptions().setTransactionContext(transaction));
            receiver.commitTransaction(transaction);
            equal(List.of(), there(queue));
        }
    }

    private static void rollingBack() {
        String queue = freshQueue();
        send(queue, "one");
        ServiceBusClientBuilder client = builder();
        try (ServiceBusReceiverClient receiver = receiver(client, queue); ServiceBusSenderClient sender = sender(client, queue)) {
            ServiceBusReceivedMessage one = receive(receiver, 1).get(0);
            ServiceBusTransactionContext transaction = sender.createTransaction();
            sender.sendMessage(new ServiceBusMessage("two"), transaction);
            receiver.complete(one, new CompleteOptions().setTransactionContext(transaction));
            sender.rollbackTransaction(transaction);
            equal(List.of("one"), there(queue));
            // The lock is still held, and good for another transaction.
            receiver.renewMessageLock(one);
        }
    }

    private static void scheduling() {
        String queue = freshQueue();
        try (ServiceBusSenderClient sender = sender(builder(), queue)) {
            ServiceBusTransactionContext transaction = sender.createTransaction();
            OffsetDateTime later = OffsetDateTime.now().plusHours(1);
            long number = sender.scheduleMessage(new ServiceBusMessage("later"), later, transaction);
            equal(List.of(), there(queue));
            sender.commitTransaction(transaction);
            equal(List.of("later"), there(queue));
            sender.cancelScheduledMessage(number);
            equal(List.of(), there(queue));
        }
    }

    private static void crossing() {
        String first = freshQueue();
        String second = freshQueue();
        send(first, "work");
        ServiceBusClientBuilder client = builder().enableCrossEntityTransactions();
        try (ServiceBusReceiverClient receiver = receiver(client, first); ServiceBusSenderClient sender = sender(client, second)) {
            ServiceBusReceivedMessage work = receive(receiver, 1).get(0);
            ServiceBusTransactionContext transaction = receiver.createTransaction();
            receiver.complete(work, new CompleteOptions().setTransactionContext(transaction));
            sender.sendMessage(new ServiceBusMessage("result"), transaction);
            equal(List.of(), there(second));
            receiver.commitTransaction(transaction);
        }
        equal(List.of(), there(first));
        equal(List.of("result"), there(second));
    }

    private static void notCrossing() {
        String first = freshQueue();
        String second = freshQueue();
        send(first, "work");
        ServiceBusClientBuilder client = builder();
        try (ServiceBusReceiverClient receiver = receiver(client, first); ServiceBusSenderClient sender = sender(client, second)) {
            ServiceBusReceivedMessage work = receive(receiver, 1).get(0);
            ServiceBusTransactionContext transaction = receiver.createTransaction();
            receiver.complete(work, new CompleteOptions().setTransactionContext(transaction));
            // This SDK does not tell that a message was refused in a transaction, but that it cannot be committed.
            sender.sendMessage(new ServiceBusMessage("result"), transaction);
            refused(ServiceBusException.class, () -> receiver.commitTransaction(transaction));
        }
        equal(List.of("work"), there(first));
        equal(List.of(), there(second));
    }

    private static void ended() {
        String queue = freshQueue();
        try (ServiceBusSenderClient sender = sender(builder(), queue)) {
            ServiceBusTransactionContext transaction = sender.createTransaction();
            sender.commitTransaction(transaction);
            refused(ServiceBusException.class, () -> sender.commitTransaction(transaction));
            refused(ServiceBusException.class, () -> sender.rollbackTransaction(transaction));
        }
    }
}
