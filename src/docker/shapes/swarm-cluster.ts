/** A swarm as a whole. */

import { credential, fetches, reveals } from '../marks.ts';
import { bool, int, list, map, object, since, text, word } from '../shape.ts';
import { labelMap } from './labels.ts';
import { objectVersion } from './object-version.ts';

export const clusterDriver = object({ Name: text(), Options: map(text()) });

export const swarmSpec = object({
  Name: text(),
  Labels: labelMap,
  Orchestration: object({ TaskHistoryRetentionLimit: int() }),
  Raft: object({
    SnapshotInterval: int(),
    KeepOldSnapshots: int(),
    LogEntriesForSlowFollowers: int(),
    ElectionTick: int(),
    HeartbeatTick: int(),
  }),
  Dispatcher: object({ HeartbeatPeriod: int() }),
  CAConfig: object({
    NodeCertExpiry: int(),
    ExternalCAs: list(
      object({ Protocol: word(['cfssl']), URL: text(fetches), Options: map(text()), CACert: since('1.30', text()) }),
    ),
    SigningCACert: since('1.30', text()),
    SigningCAKey: since('1.30', text(credential)),
    ForceRotate: since('1.30', int()),
  }),
  EncryptionConfig: object({ AutoLockManagers: bool() }),
  TaskDefaults: object({ LogDriver: clusterDriver }),
});

export const tlsInfo = object({ TrustRoot: text(), CertIssuerSubject: text(), CertIssuerPublicKey: text() });

/** What `/info` and `/swarm` both tell. */
export const clusterFields = {
  ID: text(reveals('host')),
  Version: objectVersion,
  CreatedAt: text(),
  UpdatedAt: text(),
  Spec: swarmSpec,
  TLSInfo: since('1.30', tlsInfo),
  RootRotationInProgress: since('1.30', bool()),
  DefaultAddrPool: since('1.39', list(text(reveals('host')))),
  SubnetSize: since('1.39', int()),
  DataPathPort: since('1.40', int()),
};
