// Command controller shows what ingress-nginx itself makes of ConfigMaps: its parser and its template, without a cluster.
//
// Standard input is a JSON list of ConfigMaps' data; standard output is a JSON list with the configuration that each is
// read as and the file that is written for one Ingress. The tests put this file into a copy of the controller's module,
// because the packages it needs are internal there.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/ingress-nginx/internal/ingress/annotations/clientbodybuffersize"
	"k8s.io/ingress-nginx/internal/ingress/annotations/proxy"
	"k8s.io/ingress-nginx/internal/ingress/controller/config"
	"k8s.io/ingress-nginx/internal/ingress/controller/template"
	"k8s.io/ingress-nginx/internal/ingress/defaults"
	"k8s.io/ingress-nginx/internal/ingress/resolver"
	"k8s.io/ingress-nginx/pkg/apis/ingress"
)

const backend = "apps-web-80"

// answer is what the controller makes of one ConfigMap.
type answer struct {
	Configuration config.Configuration `json:"configuration"`
	File          string               `json:"file"`
}

// declared gives annotations' parsers the ConfigMap's values, as the controller's store does.
type declared struct {
	resolver.Mock
	backend defaults.Backend
}

func (d declared) GetDefaultBackend() defaults.Backend {
	return d.backend
}

func location(read *config.Configuration) (*ingress.Location, error) {
	prefix := networking.PathTypePrefix
	object := networking.Ingress{ObjectMeta: meta.ObjectMeta{Namespace: "apps", Name: "web"}}
	values := declared{backend: read.Backend}
	proxied, err := proxy.NewParser(values).Parse(&object)
	if err != nil {
		return nil, err
	}
	made := &ingress.Location{
		Path:        "/",
		PathType:    &prefix,
		IngressPath: "/",
		Backend:     backend,
		Ingress:     &ingress.Ingress{Ingress: object},
		Proxy:       *proxied.(*proxy.Config),
	}
	made.Logs.Access = true
	// Without the annotation the parser says that it is missing, and the controller leaves the field empty.
	if size, err := clientbodybuffersize.NewParser(values).Parse(&object); err == nil {
		made.ClientBodyBufferSize = size.(string)
	}
	return made, nil
}

func render(writer *template.Template, data map[string]string) (*answer, error) {
	read := template.ReadConfig(data)
	read.DefaultSSLCertificate = &ingress.SSLCert{PemFileName: "/etc/ingress-controller/ssl/default-fake-certificate.pem"}
	place, err := location(&read)
	if err != nil {
		return nil, err
	}
	file, err := writer.Write(&config.TemplateConfig{
		Cfg:         read,
		BacklogSize: 511,
		Backends:    []*ingress.Backend{{Name: backend}},
		Servers: []*ingress.Server{
			{Hostname: "_", Locations: []*ingress.Location{place}},
			{Hostname: "app.example", Locations: []*ingress.Location{place}},
		},
		ListenPorts: &config.ListenPorts{HTTP: 80, HTTPS: 443, Health: 10254, Default: 8181, SSLProxy: 442},
		PID:         "/tmp/nginx/nginx.pid",
		HealthzURI:  "/healthz",
		StatusPath:  "/nginx_status",
		StatusPort:  10246,
		StreamPort:  10247,
	})
	if err != nil {
		return nil, err
	}
	return &answer{Configuration: read, File: string(file)}, nil
}

func run() error {
	writer, err := template.NewTemplate(os.Args[1])
	if err != nil {
		return err
	}
	var maps []map[string]string
	if err := json.NewDecoder(os.Stdin).Decode(&maps); err != nil {
		return err
	}
	answers := make([]*answer, 0, len(maps))
	for _, data := range maps {
		made, err := render(writer, data)
		if err != nil {
			return err
		}
		answers = append(answers, made)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
