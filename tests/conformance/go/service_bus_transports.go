package main

import (
	"context"
	"net"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/coder/websocket"
)

// Service Bus with azservicebus over TCP, TLS and WebSocket.
func serviceBusTransports() {
	scenario("talks over TCP", func(ctx context.Context) {
		talk(ctx, os.Getenv("SERVICEBUS"), nil)
	})
	scenario("talks over TLS", func(ctx context.Context) {
		// This SDK checks the certificate for a name with the port, unless the port stands somewhere else.
		name, key, _ := strings.Cut(os.Getenv("SERVICEBUS_TLS"), ";")
		place := strings.TrimPrefix(name, "Endpoint=sb://")
		host, _, err := net.SplitHostPort(place)
		try(err)
		talk(ctx, "Endpoint=sb://"+host+";"+key, &azservicebus.ClientOptions{CustomEndpoint: place})
	})
	scenario("talks over WebSocket", func(ctx context.Context) {
		talk(ctx, os.Getenv("SERVICEBUS_TLS"), &azservicebus.ClientOptions{NewWebSocketConn: dial})
	})
}

func talk(ctx context.Context, connectionString string, options *azservicebus.ClientOptions) {
	queue := freshQueue(ctx, nil)
	over := newClient(connectionString, options)
	sender := must(over.NewSender(queue, nil))
	wanted := []string{"one", strings.Repeat("x", 200_000)}
	for _, text := range wanted {
		try(sender.SendMessage(ctx, &azservicebus.Message{Body: []byte(text)}, nil))
	}
	deleting := &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete}
	receiver := must(over.NewReceiverForQueue(queue, deleting))
	equal(wanted, texts(receive(ctx, receiver, len(wanted))))
	try(over.Close(ctx))
}

func dial(ctx context.Context, arguments azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
	connection, _, err := websocket.Dial(ctx, arguments.Host, &websocket.DialOptions{Subprotocols: []string{"amqp"}})
	if err != nil {
		return nil, err
	}
	connection.SetReadLimit(-1)
	return websocket.NetConn(context.Background(), connection, websocket.MessageBinary), nil
}
