package localzure.conformance;

import static localzure.conformance.Namespace.bodies;
import static localzure.conformance.Namespace.builder;
import static localzure.conformance.Namespace.freshQueue;
import static localzure.conformance.Namespace.receive;
import static localzure.conformance.Scenarios.check;
import static localzure.conformance.Scenarios.equal;
import static localzure.conformance.Scenarios.refused;
import static localzure.conformance.Scenarios.scenario;

import com.azure.core.amqp.AmqpRetryOptions;
import com.azure.core.amqp.exception.AmqpErrorCondition;
import com.azure.core.amqp.exception.AmqpException;
import com.azure.messaging.servicebus.ServiceBusException;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusProcessorClient;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.ServiceBusSenderClient;
import com.azure.messaging.servicebus.ServiceBusSessionReceiverClient;
import com.azure.messaging.servicebus.administration.models.CreateQueueOptions;
import com.azure.messaging.servicebus.models.SubQueue;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** Sessions of Service Bus with azure-messaging-servicebus. */
final class ServiceBusSessions {
    private ServiceBusSessions() {
    }

    public static void main(String[] arguments) {
        scenario("receives one session in order and leaves the others", ServiceBusSessions::one);
        scenario("accepts the next session until there is none", ServiceBusSessions::next);
        scenario("keeps the state of a session", ServiceBusSessions::state);
        scenario("refuses a session that somebody else holds, and renews its lock", ServiceBusSessions::held);
        scenario("settles, defers, peeks and dead-letters inside a session", ServiceBusSessions::settling);
        scenario("schedules into a session", ServiceBusSessions::scheduling);
        scenario("processes several sessions at once, each in order", ServiceBusSessions::processing);
        scenario("refuses what does not fit the queue's sessions", ServiceBusSessions::refusals);
        Scenarios.end();
    }

    private static String queue() {
        return freshQueue(new CreateQueueOptions().setSessionRequired(true));
    }

    private static void send(String queue, String session, String... bodies) {
        try (ServiceBusSenderClient sender = builder().sender().queueName(queue).buildClient()) {
            for (String body : bodies) {
                sender.sendMessage(new ServiceBusMessage(body).setSessionId(session));
            }
        }
    }

    private static ServiceBusSessionReceiverClient sessions(String queue) {
        return builder().sessionReceiver().queueName(queue).maxAutoLockRenewDuration(Duration.ZERO).disableAutoComplete()
            .buildClient();
    }

    private static void one() {
        String queue = queue();
        send(queue, "a", "1", "2");
        send(queue, "b", "3");
        send(queue, "a", "4");
        try (ServiceBusSessionReceiverClient sessions = sessions(queue);
             ServiceBusReceiverClient session = sessions.acceptSession("a")) {
            equal("a", session.getSessionId());
            List<ServiceBusReceivedMessage> received = receive(session, 3);
            equal(List.of("1", "2", "4"), bodies(received));
            received.forEach(session::complete);
            equal(List.of(), bodies(session.receiveMessages(1, Duration.ofSeconds(1))));
        }
    }

    private static void next() {
        String queue = queue();
        send(queue, "a", "1");
        send(queue, "b", "2");
        try (ServiceBusSessionReceiverClient sessions = sessions(queue);
             ServiceBusReceiverClient first = sessions.acceptNextSession();
             ServiceBusReceiverClient second = sessions.acceptNextSession()) {
            equal(Set.of("a", "b"), Set.of(first.getSessionId(), second.getSessionId()));
            AmqpRetryOptions hasty = new AmqpRetryOptions().setMaxRetries(0).setTryTimeout(Duration.ofSeconds(1));
            try (ServiceBusSessionReceiverClient third = builder().retryOptions(hasty).sessionReceiver().queueName(queue).buildClient()) {
                refused(Exception.class, third::acceptNextSession);
            }
        }
    }

    private static void state() {
        String queue = queue();
        try (ServiceBusSessionReceiverClient sessions = sessions(queue);
             ServiceBusReceiverClient session = sessions.acceptSession("state")) {
            equal(null, session.getSessionState());
            session.setSessionState("step 2".getBytes(StandardCharsets.UTF_8));
        }
        try (ServiceBusSessionReceiverClient sessions = sessions(queue);
             ServiceBusReceiverClient session = sessions.acceptSession("state")) {
            equal("step 2", new String(session.getSessionState(), StandardCharsets.UTF_8));
            session.setSessionState(null);
            equal(null, session.getSessionState());
        }
    }

    private static void held() {
        String queue = queue();
        try (ServiceBusSessionReceiverClient sessions = sessions(queue);
             ServiceBusReceiverClient session = sessions.acceptSession("held")) {
            AmqpException refusal = refused(AmqpException.class, () -> {
                try (ServiceBusSessionReceiverClient other = sessions(queue)) {
                    other.acceptSession("held").close();
                }
            });
            equal(AmqpErrorCondition.SESSION_CANNOT_BE_LOCKED, refusal.getErrorCondition());
            check(session.renewSessionLock().isAfter(OffsetDateTime.now()), "it is over already");
        }
        try (ServiceBusSessionReceiverClient sessions = sessions(queue)) {
            sessions.acceptSession("held").close();
        }
    }

    private static void settling() {
        String queue = queue();
        send(queue, "s", "complete", "abandon", "defer", "bury");
        try (ServiceBusSessionReceiverClient sessions = sessions(queue);
             ServiceBusReceiverClient session = sessions.acceptSession("s")) {
            equal(List.of("complete", "abandon", "defer", "bury"), bodies(session.peekMessages(10)));
            List<ServiceBusReceivedMessage> received = receive(session, 4);
            session.complete(received.get(0));
            session.defer(received.get(2));
            session.deadLetter(received.get(3));
            session.abandon(received.get(1));
            ServiceBusReceivedMessage again = receive(session, 1).get(0);
            equal(List.of("abandon", 1L), List.of(again.getBody().toString(), again.getDeliveryCount()));
            session.complete(session.receiveDeferredMessage(received.get(2).getSequenceNumber()));
            session.complete(again);
        }
        try (ServiceBusReceiverClient graveyard = builder().receiver().queueName(queue).subQueue(SubQueue.DEAD_LETTER_QUEUE)
            .disableAutoComplete().buildClient()) {
            ServiceBusReceivedMessage buried = receive(graveyard, 1).get(0);
            equal(Map.of("s", "bury"), Map.of(buried.getSessionId(), buried.getBody().toString()));
        }
    }

    private static void scheduling() {
        String queue = queue();
        try (ServiceBusSenderClient sender = builder().sender().queueName(queue).buildClient()) {
            sender.scheduleMessage(new ServiceBusMessage("soon").setSessionId("later"), OffsetDateTime.now().plusSeconds(1));
        }
        try (ServiceBusSessionReceiverClient sessions = sessions(queue);
             ServiceBusReceiverClient session = sessions.acceptNextSession()) {
            equal("later", session.getSessionId());
            equal(List.of("soon"), bodies(receive(session, 1)));
        }
    }

    private static void processing() throws InterruptedException {
        String queue = queue();
        Map<String, List<String>> seen = new ConcurrentHashMap<>();
        Queue<Throwable> errors = new ConcurrentLinkedQueue<>();
        CountDownLatch all = new CountDownLatch(25);
        try (ServiceBusProcessorClient processor = builder().sessionProcessor().queueName(queue).maxConcurrentSessions(3)
            .sessionIdleTimeout(Duration.ofMillis(500))
            .processMessage(context -> {
                ServiceBusReceivedMessage message = context.getMessage();
                seen.computeIfAbsent(message.getSessionId(), id -> new CopyOnWriteArrayList<>()).add(message.getBody().toString());
                all.countDown();
            })
            .processError(context -> errors.add(context.getException()))
            .buildProcessorClient()) {
            processor.start();
            for (int session = 0; session < 5; session += 1) {
                send(queue, "s" + session, "1", "2", "3", "4", "5");
            }
            check(all.await(30, TimeUnit.SECONDS), seen + " came");
            processor.stop();
        }
        equal(List.of(), List.copyOf(errors));
        equal(5, seen.size());
        seen.values().forEach(bodies -> equal(List.of("1", "2", "3", "4", "5"), bodies));
    }

    private static void refusals() {
        String queue = queue();
        refused(ServiceBusException.class, () -> Namespace.send(queue, "no session"));
        refused(Exception.class, () -> {
            try (ServiceBusReceiverClient receiver = Namespace.receiver(queue)) {
                receiver.receiveMessages(1, Duration.ofSeconds(2)).forEach(message -> { });
            }
        });
        refused(Exception.class, () -> {
            try (ServiceBusSessionReceiverClient sessions = sessions(freshQueue())) {
                sessions.acceptSession("s").close();
            }
        });
    }
}
