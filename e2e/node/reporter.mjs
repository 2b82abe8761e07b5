// Reports each finished test as one line of JSON, which the Go harness turns into subtests.
export default async function* reporter(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const error = data.details?.error;
    yield `${JSON.stringify({
      name: data.name,
      depth: data.nesting,
      passed: type === 'test:pass',
      skipped: data.skip !== undefined || data.todo !== undefined,
      error: error ? describe(error) : '',
    })}\n`;
  }
}

function describe(error) {
  const cause = error.cause ?? error;
  return cause instanceof Error || cause?.stack ? String(cause.stack) : JSON.stringify(cause);
}
