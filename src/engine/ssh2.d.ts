/** The part of ssh2 that is used: reading private keys. Its published types do not know that a file may hold several. */
declare module 'ssh2' {
  interface ParsedKey {
    readonly type: string;
    readonly comment: string;
    isPrivateKey(): boolean;
    getPrivatePEM(): string;
    /** As on the wire: RFC 4253, section 6.6. */
    getPublicSSH(): Buffer;
  }

  const ssh2: {
    readonly utils: {
      parseKey(data: Buffer | string): ParsedKey | ParsedKey[] | Error;
    };
  };
  export default ssh2;
}
