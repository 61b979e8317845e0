// nginx configurations: the origin behind every proxy, and the two mTLS hops that stand where the sidecars stand.
import type { Certificates } from "../certificates.ts";
import { BODY, REQUEST_HEADERS } from "../rules.ts";

/** One process in the foreground, everything it writes below the folder that -p names. */
export function nginxCommand(configFile: string, folder: string): string[] {
  return ["nginx", "-e", "stderr", "-p", folder, "-c", configFile];
}

const frame = (name: string, http: string): string => `daemon off;
master_process off;
pid ${name}.pid;
error_log stderr warn;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path ${name}-body;
  proxy_temp_path ${name}-proxy;
  fastcgi_temp_path ${name}-fastcgi;
  uwsgi_temp_path ${name}-uwsgi;
  scgi_temp_path ${name}-scgi;
  keepalive_requests 100000000;
  keepalive_timeout 1h;
${http}
}
`;

export interface Origin {
  readonly ports: readonly number[];
  /** HTTP/2 with prior knowledge on all ports, and a trailer as gRPC servers send it. */
  readonly isHttp2?: boolean;
  /** Folder of files that are served below /files/. */
  readonly filesFolder?: string;
  /** A port of its own; what is posted to /upload is then read to its end before it is answered. */
  readonly uploadPort?: number;
}

/** Answers a small JSON body on each port, and what it saw of the headers that the rules set. */
export function originConfig({ ports, isHttp2 = false, filesFolder, uploadPort }: Origin): string {
  const seen = REQUEST_HEADERS.ruleHeader.replaceAll("-", "_");
  const files = filesFolder === undefined ? "" : `    location /files/ { alias ${filesFolder}/; sendfile on; tcp_nopush on; }\n`;
  // Only a proxied location reads a body before it answers: it is kept in memory, and the answer comes from next door.
  const upload =
    uploadPort === undefined
      ? ""
      : `    location = /upload {
      client_max_body_size 16m;
      client_body_buffer_size 16m;
      proxy_pass http://127.0.0.1:${uploadPort};
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
    }
`;
  const uploaded = uploadPort === undefined ? "" : `  server { listen 127.0.0.1:${uploadPort}; location / { return 200 '${BODY}'; } }\n`;
  return frame(
    "origin",
    `${uploaded}  server {
${ports.map((port) => `    listen 127.0.0.1:${port}${isHttp2 ? " http2" : ""};`).join("\n")}
    default_type application/json;
${files}${upload}    location / {
      add_header X-Powered-By nginx;
      add_header X-Seen-Rule $http_${seen};
      add_header X-Seen-Request-Id $http_x_request_id;
${isHttp2 ? "      add_trailer Grpc-Status 0;\n" : ""}      return 200 '${BODY}';
    }
  }`,
  );
}

/** Plaintext in, mTLS out: where the client's sidecar stands. */
export function nginxClientConfig(listenPort: number, serverPort: number, certificates: Certificates): string {
  const { client, server, rootsFile } = certificates;
  return frame(
    `nginx-client`,
    `  upstream server_side { server 127.0.0.1:${serverPort}; keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${listenPort};
    location / {
      proxy_pass https://server_side;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_ssl_certificate ${client.certificateFile};
      proxy_ssl_certificate_key ${client.keyFile};
      proxy_ssl_trusted_certificate ${rootsFile};
      proxy_ssl_verify on;
      proxy_ssl_server_name on;
      proxy_ssl_name ${server.dnsName};
      proxy_ssl_protocols TLSv1.3;
    }
  }`,
  );
}

/** mTLS in, plaintext out: where the server's sidecar stands. */
export function nginxServerConfig(listenPort: number, originPorts: readonly number[], certificates: Certificates): string {
  const { server, rootsFile } = certificates;
  return frame(
    `nginx-server`,
    `  upstream origin { ${originPorts.map((port) => `server 127.0.0.1:${port};`).join(" ")} keepalive 512; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${listenPort} ssl;
    ssl_certificate ${server.certificateFile};
    ssl_certificate_key ${server.keyFile};
    ssl_client_certificate ${rootsFile};
    ssl_verify_client on;
    ssl_protocols TLSv1.3;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }
  }`,
  );
}
