// node:test's reporter in each test process: one JSON line per event, for run-file.ts to read. Plain JavaScript, so
// that it loads however young the process is.
export default async function* report(source) {
  for await (const { type, data } of source) {
    if ((data.details?.type ?? data.type) === "suite" && type !== "test:fail") continue;
    switch (type) {
      // Not test:start, which waits until the tests before it have reported.
      case "test:dequeue":
        yield line({ kind: "start", name: data.name });
        break;
      case "test:pass":
        yield line({ kind: data.skip !== undefined || data.todo !== undefined ? "skip" : "pass", name: data.name });
        break;
      case "test:fail": {
        const error = data.details.error;
        // A suite fails because a test in it failed, which was told already; only its own hooks are news.
        if (error?.failureType === "subtestsFailed") break;
        if (data.todo !== undefined) yield line({ kind: "skip", name: data.name });
        else yield line({ kind: "fail", name: data.name, line: data.line, error: describe(error) });
        break;
      }
      case "test:summary":
        yield line({ kind: "end" });
        break;
    }
  }
}

const line = (event) => `${JSON.stringify(event)}\n`;

function describe(error) {
  const cause = error?.cause ?? error;
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
