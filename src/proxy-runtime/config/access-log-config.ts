// Where and how access log lines are written.

export interface AccessLogConfig {
  /** `/dev/stdout`, `/dev/stderr` or a file's path. */
  readonly path: string;
  /** Envoy's default format when absent. Text with command operators, or an object whose leaves are such texts. */
  readonly format: { readonly kind: "text"; readonly text: string } | { readonly kind: "json"; readonly json: JsonFormat } | undefined;
}

export type JsonFormat = string | number | boolean | null | { readonly [key: string]: JsonFormat } | readonly JsonFormat[];
