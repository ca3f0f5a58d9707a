// Command hello answers each request with the pod and the node that served it, and the client's address as it arrived.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Requests under way get this long after the signal to stop; the pod's grace period is longer.
const finish = 20 * time.Second

func answer(pod, node string) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		client, _, err := net.SplitHostPort(request.RemoteAddr)
		if err != nil {
			client = request.RemoteAddr
		}
		if via := request.Header.Get("X-Forwarded-For"); via != "" {
			client = fmt.Sprintf("%s for %s", client, via)
		}
		response.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(response, "pod %s on %s answers %s\n", pod, node, client)
	}
}

func main() {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	routes.HandleFunc("GET /", answer(os.Getenv("POD_NAME"), os.Getenv("NODE_NAME")))
	server := &http.Server{
		Addr:              ":" + cmp.Or(os.Getenv("PORT"), "8080"),
		Handler:           routes,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       75 * time.Second, // longer than the ingress keeps idle connections to it
		MaxHeaderBytes:    1 << 16,
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	stopped := make(chan error, 1)
	go func() {
		<-stop.Done()
		patience, done := context.WithTimeout(context.Background(), finish)
		defer done()
		stopped <- server.Shutdown(patience)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-stopped; err != nil {
		log.Fatal(err)
	}
}
