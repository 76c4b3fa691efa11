/** Errors as registries tell them: `{"errors": [{"code", "message"}]}` (OCI distribution specification, "Error codes"). */

const statuses = {
  UNAUTHORIZED: 401,
  DENIED: 403,
  NAME_UNKNOWN: 404,
  UNSUPPORTED: 405,
  MANIFEST_INVALID: 413,
  TOOMANYREQUESTS: 429,
  UNAVAILABLE: 502,
  UNKNOWN: 500,
  LOOP: 508,
} as const;

export type OciErrorCode = keyof typeof statuses;

/** What the gateway itself has against a request, or could not do for it. */
export class OciError extends Error {
  readonly code: OciErrorCode;
  readonly status: number;

  constructor(code: OciErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.status = statuses[code];
  }
}

export function errorBody(code: string, message: string): string {
  return JSON.stringify({ errors: [{ code, message }] });
}
