package localzure.conformance;

import static localzure.conformance.Namespace.ADMINISTRATION;
import static localzure.conformance.Namespace.freshQueue;
import static localzure.conformance.Namespace.receive;
import static localzure.conformance.Scenarios.check;
import static localzure.conformance.Scenarios.equal;
import static localzure.conformance.Scenarios.refused;
import static localzure.conformance.Scenarios.scenario;

import com.azure.core.exception.HttpResponseException;
import com.azure.core.exception.ResourceExistsException;
import com.azure.core.exception.ResourceNotFoundException;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.ServiceBusSenderClient;
import com.azure.messaging.servicebus.administration.models.AccessRights;
import com.azure.messaging.servicebus.administration.models.AuthorizationRule;
import com.azure.messaging.servicebus.administration.models.CreateQueueOptions;
import com.azure.messaging.servicebus.administration.models.EntityStatus;
import com.azure.messaging.servicebus.administration.models.QueueProperties;
import com.azure.messaging.servicebus.administration.models.QueueRuntimeProperties;
import com.azure.messaging.servicebus.administration.models.SharedAccessAuthorizationRule;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The administration of Service Bus with azure-messaging-servicebus, which speaks HTTPS. */
final class ServiceBusAdministration {
    private ServiceBusAdministration() {
    }

    public static void main(String[] arguments) {
        scenario("tells about the namespace", () -> check(!ADMINISTRATION.getNamespaceProperties().getName().isEmpty(), "no name"));
        scenario("creates a queue with every property, and reads it back", ServiceBusAdministration::create);
        scenario("updates, lists and deletes queues", ServiceBusAdministration::update);
        scenario("counts messages by their state", ServiceBusAdministration::counts);
        scenario("forwards to another queue", ServiceBusAdministration::forward);
        scenario("refuses what is there already, what is missing and what is malformed", ServiceBusAdministration::refusals);
        Scenarios.end();
    }

    private static void create() {
        CreateQueueOptions options = new CreateQueueOptions()
            .setLockDuration(Duration.ofSeconds(45)).setMaxSizeInMegabytes(2048).setDuplicateDetectionRequired(true)
            .setSessionRequired(true).setDefaultMessageTimeToLive(Duration.ofDays(1)).setDeadLetteringOnMessageExpiration(true)
            .setDuplicateDetectionHistoryTimeWindow(Duration.ofMinutes(2)).setMaxDeliveryCount(7)
            .setBatchedOperationsEnabled(false).setAutoDeleteOnIdle(Duration.ofHours(1)).setUserMetadata("<what> & \"ever\"");
        options.getAuthorizationRules().add(new SharedAccessAuthorizationRule("own", "cHJpbWFyeQ==", "c2Vjb25kYXJ5",
            List.of(AccessRights.SEND, AccessRights.LISTEN)));
        QueueProperties queue = ADMINISTRATION.getQueue(freshQueue(options));
        equal(List.of(Duration.ofSeconds(45), 2048L, true, true, Duration.ofDays(1), true, Duration.ofMinutes(2), 7, false,
                Duration.ofHours(1), "<what> & \"ever\"", EntityStatus.ACTIVE),
            List.of(queue.getLockDuration(), (long) queue.getMaxSizeInMegabytes(), queue.isDuplicateDetectionRequired(),
                queue.isSessionRequired(), queue.getDefaultMessageTimeToLive(), queue.isDeadLetteringOnMessageExpiration(),
                queue.getDuplicateDetectionHistoryTimeWindow(), queue.getMaxDeliveryCount(), queue.isBatchedOperationsEnabled(),
                queue.getAutoDeleteOnIdle(), queue.getUserMetadata(), queue.getStatus()));
        AuthorizationRule rule = queue.getAuthorizationRules().get(0);
        equal(List.of("own", "cHJpbWFyeQ==", "c2Vjb25kYXJ5"), List.of(rule.getKeyName(), rule.getPrimaryKey(), rule.getSecondaryKey()));
        equal(Set.of(AccessRights.SEND, AccessRights.LISTEN), new HashSet<>(rule.getAccessRights()));
    }

    private static void update() {
        String name = freshQueue();
        QueueProperties queue = ADMINISTRATION.getQueue(name);
        queue.setMaxDeliveryCount(3).setLockDuration(Duration.ofSeconds(20));
        equal(3, ADMINISTRATION.updateQueue(queue).getMaxDeliveryCount());
        equal(Duration.ofSeconds(20), ADMINISTRATION.getQueue(name).getLockDuration());
        check(ADMINISTRATION.listQueues().stream().anyMatch(each -> each.getName().equals(name)), "it is not listed");
        check(ADMINISTRATION.getQueueExists(name), "it is not there");
        ADMINISTRATION.deleteQueue(name);
        check(!ADMINISTRATION.getQueueExists(name), "it is there");
    }

    private static void counts() {
        String name = freshQueue();
        Namespace.send(name, "a", "b", "c");
        try (ServiceBusSenderClient sender = Namespace.builder().sender().queueName(name).buildClient();
             ServiceBusReceiverClient receiver = Namespace.receiver(name)) {
            sender.scheduleMessage(new ServiceBusMessage("later"), OffsetDateTime.now().plusHours(1));
            receiver.deadLetter(receive(receiver, 1).get(0));
        }
        QueueRuntimeProperties counts = ADMINISTRATION.getQueueRuntimeProperties(name);
        equal(List.of(2, 1, 1, 4L), List.of(counts.getActiveMessageCount(), counts.getScheduledMessageCount(),
            counts.getDeadLetterMessageCount(), counts.getTotalMessageCount()));
        check(counts.getSizeInBytes() > 0, "no size");
    }

    private static void forward() {
        String target = freshQueue();
        String source = freshQueue(new CreateQueueOptions().setForwardTo(target));
        Namespace.send(source, "on its way");
        try (ServiceBusReceiverClient receiver = Namespace.deleting(target)) {
            equal(List.of("on its way"), Namespace.bodies(receive(receiver, 1)));
        }
    }

    private static void refusals() {
        String name = freshQueue();
        refused(ResourceExistsException.class, () -> ADMINISTRATION.createQueue(name));
        refused(ResourceNotFoundException.class, () -> ADMINISTRATION.getQueue("java-nothing"));
        refused(ResourceNotFoundException.class, () -> ADMINISTRATION.deleteQueue("java-nothing"));
        CreateQueueOptions malformed = new CreateQueueOptions().setLockDuration(Duration.ofMinutes(10));
        HttpResponseException refusal = refused(HttpResponseException.class, () -> ADMINISTRATION.createQueue(name + "-x", malformed));
        equal(400, refusal.getResponse().getStatusCode());
    }
}
