/** How a gRPC call ends. Source: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */

/** Those that are given here. */
export const STATUS = {
  ok: 0,
  unknown: 2,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

export type Status = (typeof STATUS)[keyof typeof STATUS];

/** Thrown by what answers a call: the call ends with this status. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';

  /** @param message the other side gets it */
  constructor(
    readonly status: Exclude<Status, typeof STATUS.ok>,
    message: string,
  ) {
    super(message);
  }
}

/** Of what comes in and is no message: more of it cannot be understood either. */
export class NonsenseError extends GrpcError {}

/** As a header carries it: what is not printable ASCII, and the percent sign, as the bytes of UTF-8. */
export function encodeMessage(message: string): string {
  return [...Buffer.from(message)]
    .map((byte) =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}
