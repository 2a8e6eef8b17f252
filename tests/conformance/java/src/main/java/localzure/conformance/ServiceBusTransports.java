package localzure.conformance;

import static localzure.conformance.Scenarios.equal;
import static localzure.conformance.Scenarios.scenario;

import com.azure.core.amqp.AmqpTransportType;
import com.azure.messaging.servicebus.ServiceBusClientBuilder;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.ServiceBusSenderClient;
import com.azure.messaging.servicebus.models.ServiceBusReceiveMode;
import java.util.List;

/** Service Bus with azure-messaging-servicebus over TCP, TLS and WebSocket. */
final class ServiceBusTransports {
    private ServiceBusTransports() {
    }

    public static void main(String[] arguments) {
        scenario("talks over TCP", () -> talk(Namespace.PLAIN, AmqpTransportType.AMQP));
        scenario("talks over TLS", () -> talk(Namespace.SECURE, AmqpTransportType.AMQP));
        scenario("talks over WebSocket", () -> talk(Namespace.SECURE, AmqpTransportType.AMQP_WEB_SOCKETS));
        Scenarios.end();
    }

    private static void talk(String connectionString, AmqpTransportType transport) {
        String queue = Namespace.freshQueue();
        ServiceBusClientBuilder builder = Namespace.builder(connectionString).transportType(transport);
        try (ServiceBusSenderClient sender = builder.sender().queueName(queue).buildClient();
             ServiceBusReceiverClient receiver = builder.receiver().queueName(queue)
                 .receiveMode(ServiceBusReceiveMode.RECEIVE_AND_DELETE).buildClient()) {
            String large = "x".repeat(200_000);
            sender.sendMessages(List.of(new ServiceBusMessage("one")));
            sender.sendMessage(new ServiceBusMessage(large));
            equal(List.of("one", large), Namespace.bodies(Namespace.receive(receiver, 2)));
        }
    }
}
