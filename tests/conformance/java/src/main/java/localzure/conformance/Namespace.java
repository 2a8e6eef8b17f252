package localzure.conformance;

import com.azure.core.amqp.AmqpRetryOptions;
import com.azure.core.http.HttpPipelineCallContext;
import com.azure.core.http.HttpPipelineNextPolicy;
import com.azure.core.http.HttpPipelineNextSyncPolicy;
import com.azure.core.http.HttpResponse;
import com.azure.core.http.policy.HttpPipelinePolicy;
import com.azure.core.util.UrlBuilder;
import com.azure.messaging.servicebus.ServiceBusClientBuilder;
import com.azure.messaging.servicebus.ServiceBusException;
import com.azure.messaging.servicebus.ServiceBusFailureReason;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.ServiceBusSenderClient;
import com.azure.messaging.servicebus.administration.ServiceBusAdministrationClient;
import com.azure.messaging.servicebus.administration.ServiceBusAdministrationClientBuilder;
import com.azure.messaging.servicebus.administration.models.CreateQueueOptions;
import com.azure.messaging.servicebus.models.ServiceBusReceiveMode;
import java.net.MalformedURLException;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import reactor.core.publisher.Mono;

/**
 * The namespace that the Service Bus programs share: clients, and queues and topics of one's own.
 *
 * <p>This SDK takes the host from the connection string and leaves its port, so the port is given beside it: to messaging
 * as a custom endpoint, to the administration by a policy that changes the URL.
 */
final class Namespace {
    static final String PLAIN = System.getenv("SERVICEBUS");
    static final String SECURE = System.getenv("SERVICEBUS_TLS");
    static final Duration WAIT = Duration.ofSeconds(10);
    static final ServiceBusAdministrationClient ADMINISTRATION = administration();

    private static int made;

    private Namespace() {
    }

    static ServiceBusClientBuilder builder() {
        return builder(PLAIN);
    }

    static ServiceBusClientBuilder builder(String connectionString) {
        AmqpRetryOptions retries = new AmqpRetryOptions().setMaxRetries(0).setTryTimeout(Duration.ofSeconds(20));
        return new ServiceBusClientBuilder()
            .connectionString(connectionString)
            .customEndpointAddress("https://localhost:" + endpoint(connectionString).getPort())
            .retryOptions(retries);
    }

    static URI endpoint(String connectionString) {
        return URI.create(connectionString.split(";")[0].substring("Endpoint=".length()));
    }

    /** Makes a queue that nobody else uses, and returns its name. */
    static String freshQueue(CreateQueueOptions options) {
        made += 1;
        String name = "java-" + ProcessHandle.current().pid() + "-" + made;
        ADMINISTRATION.createQueue(name, options);
        return name;
    }

    static String freshQueue() {
        return freshQueue(new CreateQueueOptions());
    }

    /** Makes a topic that nobody else uses, with subscriptions, and returns its name. */
    static String freshTopic(String... subscriptions) {
        made += 1;
        String name = "java-" + ProcessHandle.current().pid() + "-" + made;
        ADMINISTRATION.createTopic(name);
        Stream.of(subscriptions).forEach(subscription -> ADMINISTRATION.createSubscription(name, subscription));
        return name;
    }

    static void send(String queue, String... bodies) {
        try (ServiceBusSenderClient sender = builder().sender().queueName(queue).buildClient()) {
            sender.sendMessages(Stream.of(bodies).map(ServiceBusMessage::new).toList());
        }
    }

    static ServiceBusReceiverClient receiver(String queue) {
        return builder().receiver().queueName(queue).maxAutoLockRenewDuration(Duration.ZERO).disableAutoComplete().buildClient();
    }

    static ServiceBusReceiverClient deleting(String queue) {
        return builder().receiver().queueName(queue).receiveMode(ServiceBusReceiveMode.RECEIVE_AND_DELETE).buildClient();
    }

    /** Receives exactly this many messages, in as many calls as it takes. */
    static List<ServiceBusReceivedMessage> receive(ServiceBusReceiverClient receiver, int count) {
        List<ServiceBusReceivedMessage> received = new ArrayList<>();
        while (received.size() < count) {
            int before = received.size();
            receiver.receiveMessages(count - before, WAIT).forEach(received::add);
            Scenarios.check(received.size() > before, received.size() + " messages came instead of " + count);
        }
        return received;
    }

    static List<String> bodies(Iterable<ServiceBusReceivedMessage> messages) {
        List<String> bodies = new ArrayList<>();
        messages.forEach(message -> bodies.add(message.getBody().toString()));
        return bodies;
    }

    /** Runs what Service Bus must refuse for this reason. */
    static void refused(ServiceBusFailureReason reason, Scenarios.Body body) {
        ServiceBusException failure = Scenarios.refused(ServiceBusException.class, body);
        if (!reason.equals(failure.getReason())) {
            throw new AssertionError("expected " + reason, failure);
        }
    }

    private static ServiceBusAdministrationClient administration() {
        String connectionString = System.getenv("SERVICEBUS_ADMINISTRATION");
        return new ServiceBusAdministrationClientBuilder()
            .connectionString(connectionString)
            .addPolicy(new WithPort(endpoint(connectionString).getPort()))
            .buildClient();
    }

    private record WithPort(int port) implements HttpPipelinePolicy {
        @Override
        public Mono<HttpResponse> process(HttpPipelineCallContext context, HttpPipelineNextPolicy next) {
            return Mono.defer(() -> {
                change(context);
                return next.process();
            });
        }

        @Override
        public HttpResponse processSync(HttpPipelineCallContext context, HttpPipelineNextSyncPolicy next) {
            change(context);
            return next.processSync();
        }

        private void change(HttpPipelineCallContext context) {
            try {
                UrlBuilder url = UrlBuilder.parse(context.getHttpRequest().getUrl()).setPort(port);
                context.getHttpRequest().setUrl(url.toUrl());
            } catch (MalformedURLException malformed) {
                throw new IllegalStateException(malformed);
            }
        }
    }
}
