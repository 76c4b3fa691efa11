/** Where an image comes from, as far as signatures and the engine's own records tell. */

import { reveals, uses } from '../marks.ts';
import { list, object, text, word } from '../shape.ts';

const signer = object({
  CertificateIssuer: text(),
  SubjectAlternativeName: text(),
  Issuer: text(),
  BuildSignerURI: text(),
  BuildSignerDigest: text(),
  RunnerEnvironment: text(),
  SourceRepositoryURI: text(),
  SourceRepositoryDigest: text(),
  SourceRepositoryRef: text(),
  SourceRepositoryIdentifier: text(),
  SourceRepositoryOwnerURI: text(),
  SourceRepositoryOwnerIdentifier: text(),
  BuildConfigURI: text(),
  BuildConfigDigest: text(),
  BuildTrigger: text(),
  RunInvocationURI: text(),
  SourceRepositoryVisibilityAtSigning: text(),
});

const signature = object({
  Name: text(),
  Timestamps: list(object({ Type: word(['Tlog', 'TimestampAuthority']), URI: text(), Timestamp: text() })),
  KnownSigner: word(['DHI']),
  DockerReference: text(uses('image', 'name')),
  Signer: signer,
  SignatureType: word(['bundle-v0.3', 'simplesigning-v1']),
  Error: text(),
  Warnings: list(text()),
});

export const imageIdentity = object({
  Signature: list(signature),
  // Every repository that anybody on the engine has pulled it from.
  Pull: list(object({ Repository: text(uses('image', 'name'), reveals('others')) })),
  Build: list(object({ Ref: text(uses('build', 'id'), reveals('others')), CreatedAt: text() })),
});
