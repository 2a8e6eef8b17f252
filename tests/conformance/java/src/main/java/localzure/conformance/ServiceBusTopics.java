package localzure.conformance;

import static localzure.conformance.Namespace.ADMINISTRATION;
import static localzure.conformance.Namespace.bodies;
import static localzure.conformance.Namespace.builder;
import static localzure.conformance.Namespace.freshTopic;
import static localzure.conformance.Namespace.receive;
import static localzure.conformance.Scenarios.check;
import static localzure.conformance.Scenarios.equal;
import static localzure.conformance.Scenarios.refused;
import static localzure.conformance.Scenarios.scenario;

import com.azure.core.exception.HttpResponseException;
import com.azure.core.exception.ResourceExistsException;
import com.azure.messaging.servicebus.ServiceBusException;
import com.azure.messaging.servicebus.ServiceBusMessage;
import com.azure.messaging.servicebus.ServiceBusReceivedMessage;
import com.azure.messaging.servicebus.ServiceBusReceiverClient;
import com.azure.messaging.servicebus.ServiceBusRuleManagerClient;
import com.azure.messaging.servicebus.ServiceBusSenderClient;
import com.azure.messaging.servicebus.ServiceBusSessionReceiverClient;
import com.azure.messaging.servicebus.administration.models.CorrelationRuleFilter;
import com.azure.messaging.servicebus.administration.models.CreateRuleOptions;
import com.azure.messaging.servicebus.administration.models.CreateSubscriptionOptions;
import com.azure.messaging.servicebus.administration.models.FalseRuleFilter;
import com.azure.messaging.servicebus.administration.models.RuleAction;
import com.azure.messaging.servicebus.administration.models.RuleFilter;
import com.azure.messaging.servicebus.administration.models.RuleProperties;
import com.azure.messaging.servicebus.administration.models.SqlRuleAction;
import com.azure.messaging.servicebus.administration.models.SqlRuleFilter;
import com.azure.messaging.servicebus.administration.models.SubscriptionProperties;
import com.azure.messaging.servicebus.administration.models.TopicProperties;
import com.azure.messaging.servicebus.models.DeadLetterOptions;
import com.azure.messaging.servicebus.models.ServiceBusReceiveMode;
import com.azure.messaging.servicebus.models.SubQueue;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Topics of Service Bus with azure-messaging-servicebus: subscriptions, filters, actions, rules and administration. */
final class ServiceBusTopics {
    private ServiceBusTopics() {
    }

    public static void main(String[] arguments) {
        scenario("gives every subscription its own copy", ServiceBusTopics::copies);
        scenario("filters by SQL and correlation, and changes messages by actions", ServiceBusTopics::filters);
        scenario("adds, lists and removes rules over AMQP", ServiceBusTopics::ruleManager);
        scenario("receives sessions of a subscription", ServiceBusTopics::sessions);
        scenario("administers topics", ServiceBusTopics::topics);
        scenario("administers subscriptions and counts their messages", ServiceBusTopics::subscriptions);
        scenario("administers rules", ServiceBusTopics::rules);
        Scenarios.end();
    }

    private static void send(String topic, ServiceBusMessage... messages) {
        try (ServiceBusSenderClient sender = builder().sender().topicName(topic).buildClient()) {
            sender.sendMessages(List.of(messages));
        }
    }

    private static ServiceBusReceiverClient receiver(String topic, String subscription) {
        return builder().receiver().topicName(topic).subscriptionName(subscription).disableAutoComplete().buildClient();
    }

    private static List<String> waiting(String topic, String subscription) {
        try (ServiceBusReceiverClient receiver = receiver(topic, subscription)) {
            return bodies(receiver.peekMessages(100));
        }
    }

    private static void copies() {
        String topic = freshTopic("one", "two");
        send(topic, new ServiceBusMessage("a").setSubject("s"), new ServiceBusMessage("b"));
        try (ServiceBusReceiverClient receiver = receiver(topic, "one")) {
            List<ServiceBusReceivedMessage> received = receive(receiver, 2);
            equal(List.of("a", "b"), bodies(received));
            equal("s", received.get(0).getSubject());
            receiver.complete(received.get(0));
            receiver.deadLetter(received.get(1), new DeadLetterOptions().setDeadLetterReason("R"));
        }
        try (ServiceBusReceiverClient graveyard = builder().receiver().topicName(topic).subscriptionName("one")
            .subQueue(SubQueue.DEAD_LETTER_QUEUE).receiveMode(ServiceBusReceiveMode.RECEIVE_AND_DELETE).buildClient()) {
            equal("R", receive(graveyard, 1).get(0).getDeadLetterReason());
        }
        equal(List.of(), waiting(topic, "one"));
        equal(List.of("a", "b"), waiting(topic, "two"));
    }

    private static void only(String topic, String subscription, RuleFilter filter, RuleAction action) {
        ADMINISTRATION.createSubscription(topic, subscription, "own", new CreateSubscriptionOptions(),
            new CreateRuleOptions(filter).setAction(action));
    }

    private static ServiceBusMessage order(String body, int price, String color) {
        ServiceBusMessage message = new ServiceBusMessage(body).setSubject("order");
        message.getApplicationProperties().putAll(Map.of("price", price, "color", color));
        return message;
    }

    private static void filters() {
        String topic = freshTopic();
        SqlRuleFilter sql = new SqlRuleFilter("price > 10 AND sys.Label LIKE 'or%' AND color IN ('red', @second)");
        sql.getParameters().put("@second", "blue");
        only(topic, "sql", sql, null);
        CorrelationRuleFilter correlation = new CorrelationRuleFilter().setLabel("order");
        correlation.getProperties().put("color", "red");
        only(topic, "correlation", correlation, null);
        only(topic, "action", new SqlRuleFilter("color = 'red'"), new SqlRuleAction("SET price = price * 2; REMOVE color"));
        only(topic, "none", new FalseRuleFilter(), null);
        send(topic, order("cheap", 5, "red"), order("red", 20, "red"), order("blue", 20, "blue"), order("green", 20, "green"));
        equal(List.of("red", "blue"), waiting(topic, "sql"));
        equal(List.of("cheap", "red"), waiting(topic, "correlation"));
        equal(List.of(), waiting(topic, "none"));
        try (ServiceBusReceiverClient receiver = receiver(topic, "action")) {
            List<ServiceBusReceivedMessage> changed = receive(receiver, 2);
            equal(List.of("10", "40"), changed.stream().map(each -> each.getApplicationProperties().get("price").toString()).toList());
            equal(null, changed.get(0).getApplicationProperties().get("color"));
        }
    }

    private static void ruleManager() {
        String topic = freshTopic("s");
        try (ServiceBusRuleManagerClient manager = builder().ruleManager().topicName(topic).subscriptionName("s").buildClient()) {
            SqlRuleFilter sql = new SqlRuleFilter("a = 1");
            manager.createRule("sql", new CreateRuleOptions(sql).setAction(new SqlRuleAction("SET b = 2")));
            CorrelationRuleFilter correlation = new CorrelationRuleFilter("c");
            correlation.getProperties().put("x", "y");
            manager.createRule("correlation", new CreateRuleOptions(correlation));
            manager.deleteRule("$Default");
            Map<String, RuleProperties> found = new TreeMap<>();
            manager.listRules().forEach(rule -> found.put(rule.getName(), rule));
            equal(List.of("correlation", "sql"), List.copyOf(found.keySet()));
            equal("a = 1", ((SqlRuleFilter) found.get("sql").getFilter()).getSqlExpression());
            equal("SET b = 2", ((SqlRuleAction) found.get("sql").getAction()).getSqlExpression());
            equal("c", ((CorrelationRuleFilter) found.get("correlation").getFilter()).getCorrelationId());
            ServiceBusMessage second = new ServiceBusMessage("second").setCorrelationId("c");
            second.getApplicationProperties().put("x", "y");
            send(topic, new ServiceBusMessage("neither"), second);
            equal(List.of("second"), waiting(topic, "s"));
            refused(ServiceBusException.class, () -> manager.createRule("sql", new CreateRuleOptions(sql)));
        }
    }

    private static void sessions() {
        String topic = freshTopic();
        ADMINISTRATION.createSubscription(topic, "s", new CreateSubscriptionOptions().setSessionRequired(true));
        send(topic, new ServiceBusMessage("1").setSessionId("a"));
        send(topic, new ServiceBusMessage("2").setSessionId("b"));
        try (ServiceBusSessionReceiverClient sessions = builder().sessionReceiver().topicName(topic).subscriptionName("s")
                 .disableAutoComplete().buildClient();
             ServiceBusReceiverClient session = sessions.acceptSession("b")) {
            equal(List.of("2"), bodies(receive(session, 1)));
        }
    }

    private static void topics() {
        String name = freshTopic("s");
        TopicProperties topic = ADMINISTRATION.getTopic(name);
        topic.setDefaultMessageTimeToLive(Duration.ofDays(1)).setUserMetadata("<what>");
        equal("<what>", ADMINISTRATION.updateTopic(topic).getUserMetadata());
        equal(Duration.ofDays(1), ADMINISTRATION.getTopic(name).getDefaultMessageTimeToLive());
        equal(1, ADMINISTRATION.getTopicRuntimeProperties(name).getSubscriptionCount());
        check(ADMINISTRATION.listTopics().stream().anyMatch(each -> each.getName().equals(name)), "it is not listed");
        refused(ResourceExistsException.class, () -> ADMINISTRATION.createTopic(name));
        ADMINISTRATION.deleteTopic(name);
        check(!ADMINISTRATION.getTopicExists(name), "it is there");
    }

    private static void subscriptions() {
        String topic = freshTopic("other");
        ADMINISTRATION.createSubscription(topic, "s", new CreateSubscriptionOptions().setLockDuration(Duration.ofSeconds(45))
            .setMaxDeliveryCount(3).setDeadLetteringOnMessageExpiration(true).setUserMetadata("m"));
        SubscriptionProperties got = ADMINISTRATION.getSubscription(topic, "s");
        equal(List.of(Duration.ofSeconds(45), 3, true, "m"), List.of(got.getLockDuration(), got.getMaxDeliveryCount(),
            got.isDeadLetteringOnMessageExpiration(), got.getUserMetadata()));
        equal(4, ADMINISTRATION.updateSubscription(got.setMaxDeliveryCount(4)).getMaxDeliveryCount());
        equal(List.of("other", "s"),
            ADMINISTRATION.listSubscriptions(topic).stream().map(SubscriptionProperties::getSubscriptionName).sorted().toList());
        send(topic, new ServiceBusMessage("1"), new ServiceBusMessage("2"));
        equal(2, ADMINISTRATION.getSubscriptionRuntimeProperties(topic, "s").getActiveMessageCount());
        ADMINISTRATION.deleteSubscription(topic, "s");
        check(!ADMINISTRATION.getSubscriptionExists(topic, "s"), "it is there");
    }

    private static void rules() {
        String topic = freshTopic("s");
        SqlRuleFilter filter = new SqlRuleFilter("x = @x AND y < 3");
        filter.getParameters().put("@x", "text");
        ADMINISTRATION.createRule(topic, "r", "s", new CreateRuleOptions(filter).setAction(new SqlRuleAction("SET z = 1")));
        RuleProperties rule = ADMINISTRATION.getRule(topic, "s", "r");
        SqlRuleFilter got = (SqlRuleFilter) rule.getFilter();
        equal(filter.getSqlExpression(), got.getSqlExpression());
        equal(filter.getParameters(), got.getParameters());
        equal("SET z = 1", ((SqlRuleAction) rule.getAction()).getSqlExpression());
        CorrelationRuleFilter correlation = new CorrelationRuleFilter("c").setLabel("l");
        correlation.getProperties().putAll(Map.of("flag", true, "text", "t"));
        ADMINISTRATION.updateRule(topic, "s", rule.setFilter(correlation));
        CorrelationRuleFilter changed = (CorrelationRuleFilter) ADMINISTRATION.getRule(topic, "s", "r").getFilter();
        // This SDK sends every value as a string.
        equal(List.of("c", "l", Map.of("flag", "true", "text", "t")),
            List.of(changed.getCorrelationId(), changed.getLabel(), changed.getProperties()));
        equal(List.of("$Default", "r"), ADMINISTRATION.listRules(topic, "s").stream().map(RuleProperties::getName).sorted().toList());
        ADMINISTRATION.deleteRule(topic, "s", "r");
        equal(1L, ADMINISTRATION.listRules(topic, "s").stream().count());
        refused(HttpResponseException.class,
            () -> ADMINISTRATION.createRule(topic, "bad", "s", new CreateRuleOptions(new SqlRuleFilter("price >"))));
    }
}
