package localzure.conformance;

import static localzure.conformance.Namespace.ADMINISTRATION;
import static localzure.conformance.Namespace.bodies;
import static localzure.conformance.Namespace.builder;
import static localzure.conformance.Namespace.receive;
import static localzure.conformance.Namespace.refused;
import static localzure.conformance.Scenarios.check;
import static localzure.conformance.Scenarios.equal;
import static localzure.conformance.Scenarios.scenario;

import com.azure.messaging.servicebus.ServiceBusClientBuilder;
import com.azure.messaging.servicebus.ServiceBusFailureReason;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.ServiceBusRuleManagerClient;
import com.azure.messaging.servicebus.ServiceBusSenderClient;
import com.azure.messaging.servicebus.ServiceBusTransactionContext;
import com.azure.messaging.servicebus.administration.models.CorrelationRuleFilter;
import com.azure.messaging.servicebus.administration.models.CreateRuleOptions;
import com.azure.messaging.servicebus.administration.models.FalseRuleFilter;
import com.azure.messaging.servicebus.administration.models.RuleProperties;
import com.azure.messaging.servicebus.administration.models.SqlRuleAction;
import com.azure.messaging.servicebus.administration.models.SqlRuleFilter;
import com.azure.messaging.servicebus.administration.models.TrueRuleFilter;
import com.azure.messaging.servicebus.models.CompleteOptions;
import com.azure.messaging.servicebus.models.ServiceBusReceiveMode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/** Rules of subscriptions with the rule manager of azure-messaging-servicebus, which speaks AMQP. */
final class ServiceBusRules {
    private static final String SUBSCRIPTION = "subscription";
    private static int made;

    private ServiceBusRules() {
    }

    public static void main(String[] arguments) {
        scenario("adds, lists and deletes rules of every kind", ServiceBusRules::listing);
        scenario("gives a subscription what its rules take, changed by their actions", ServiceBusRules::taking);
        scenario("refuses rules that make no sense", ServiceBusRules::refusals);
        scenario("answers in the topic of a subscription, in one transaction", ServiceBusRules::answering);
        Scenarios.end();
    }

    /** Makes a topic with a subscription that has no rules, and returns its name. */
    private static String freshTopic() {
        made += 1;
        String topic = "java-topic-" + ProcessHandle.current().pid() + "-" + made;
        ADMINISTRATION.createTopic(topic);
        ADMINISTRATION.createSubscription(topic, SUBSCRIPTION);
        ADMINISTRATION.deleteRule(topic, SUBSCRIPTION, "$Default");
        return topic;
    }

    private static ServiceBusRuleManagerClient manager(String topic) {
        return builder().ruleManager().topicName(topic).subscriptionName(SUBSCRIPTION).buildClient();
    }

    private static void listing() {
        String topic = freshTopic();
        try (ServiceBusRuleManagerClient manager = manager(topic)) {
            CorrelationRuleFilter same = new CorrelationRuleFilter("c").setLabel("l");
            UUID id = new UUID(1, 2);
            same.getProperties().put("n", 5);
            same.getProperties().put("id", id);
            manager.createRule("a", new CreateRuleOptions(new TrueRuleFilter()));
            manager.createRule("b", new CreateRuleOptions(new FalseRuleFilter()));
            manager.createRule("c", new CreateRuleOptions(same));
            manager.createRule("d", new CreateRuleOptions(new SqlRuleFilter("n > 5")).setAction(new SqlRuleAction("SET n = 5")));
            List<RuleProperties> rules = new ArrayList<>();
            manager.listRules().forEach(rules::add);
            equal(List.of("a", "b", "c", "d"), rules.stream().map(RuleProperties::getName).toList());
            // This SDK reads the values of properties as text.
            CorrelationRuleFilter listed = (CorrelationRuleFilter) rules.get(2).getFilter();
            equal(List.of("c", "l", "5", id.toString()),
                List.of(listed.getCorrelationId(), listed.getLabel(), listed.getProperties().get("n"), listed.getProperties().get("id")));
            equal("n > 5", ((SqlRuleFilter) rules.get(3).getFilter()).getSqlExpression());
            equal("SET n = 5", ((SqlRuleAction) rules.get(3).getAction()).getSqlExpression());
            for (RuleProperties rule : rules) {
                manager.deleteRule(rule.getName());
            }
            check(!manager.listRules().iterator().hasNext(), "rules are left");
        }
    }

    private static void taking() {
        String topic = freshTopic();
        try (ServiceBusRuleManagerClient manager = manager(topic)) {
            manager.createRule("big", new CreateRuleOptions(new SqlRuleFilter("quantity > 5 AND sys.Label LIKE 'o%'"))
                .setAction(new SqlRuleAction("SET quantity = quantity / 2; REMOVE secret; SET sys.CorrelationId = 'low'")));
        }
        ServiceBusMessage taken = new ServiceBusMessage("taken").setSubject("order");
        taken.getApplicationProperties().put("quantity", 7);
        taken.getApplicationProperties().put("secret", "x");
        ServiceBusMessage small = new ServiceBusMessage("small").setSubject("order");
        small.getApplicationProperties().put("quantity", 5);
        try (ServiceBusSenderClient sender = builder().sender().topicName(topic).buildClient()) {
            sender.sendMessages(List.of(small, taken));
        }
        try (ServiceBusReceiverClient receiver = builder().receiver().topicName(topic).subscriptionName(SUBSCRIPTION)
            .receiveMode(ServiceBusReceiveMode.RECEIVE_AND_DELETE).buildClient()) {
            ServiceBusReceivedMessage got = receive(receiver, 1).get(0);
            equal(List.of("taken", 3, "low"),
                List.of(got.getBody().toString(), got.getApplicationProperties().get("quantity"), got.getCorrelationId()));
            check(!got.getApplicationProperties().containsKey("secret"), "it is still there");
        }
    }

    private static void refusals() {
        String topic = freshTopic();
        try (ServiceBusRuleManagerClient manager = manager(topic)) {
            CreateRuleOptions good = new CreateRuleOptions(new SqlRuleFilter("1=1"));
            manager.createRule("good", good);
            refused(ServiceBusFailureReason.MESSAGING_ENTITY_ALREADY_EXISTS, () -> manager.createRule("good", good));
            refused(ServiceBusFailureReason.MESSAGING_ENTITY_NOT_FOUND, () -> manager.deleteRule("missing"));
            refused(ServiceBusFailureReason.GENERAL_ERROR,
                () -> manager.createRule("bad", new CreateRuleOptions(new SqlRuleFilter("n = = 5"))));
        }
    }

    private static void answering() {
        String topic = freshTopic();
        try (ServiceBusRuleManagerClient manager = manager(topic)) {
            manager.createRule("all", new CreateRuleOptions(new TrueRuleFilter()));
        }
        ServiceBusClientBuilder client = builder();
        try (ServiceBusSenderClient sender = client.sender().topicName(topic).buildClient();
            ServiceBusReceiverClient receiver = client.receiver().topicName(topic).subscriptionName(SUBSCRIPTION)
                .maxAutoLockRenewDuration(Duration.ZERO).disableAutoComplete().buildClient()) {
            sender.sendMessage(new ServiceBusMessage("question"));
            ServiceBusReceivedMessage question = receive(receiver, 1).get(0);
            ServiceBusTransactionContext transaction = sender.createTransaction();
            sender.sendMessage(new ServiceBusMessage("answer"), transaction);
            receiver.complete(question, new CompleteOptions().setTransactionContext(transaction));
            sender.commitTransaction(transaction);
            equal(List.of("answer"), bodies(receive(receiver, 1)));
        }
    }
}
