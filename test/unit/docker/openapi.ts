/** Docker's own OpenAPI documents, as far as the drift test asks: operations, parameters, and schemas made flat. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import type { ApiVersion } from '../../../src/docker/shape.ts';

/** Beside the repository, or wherever BERTHGATE_OPENAPI says. */
export const documentFolder =
  process.env.BERTHGATE_OPENAPI ?? fileURLToPath(new URL('../../../../shared/api', import.meta.url));

export interface Schema {
  readonly $ref?: string;
  /** Several where the engine takes the one or the other. */
  readonly type?: string | readonly string[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
}

interface Parameter extends Schema {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header' | 'body';
  readonly schema?: Schema;
}

interface Response {
  readonly $ref?: string;
  readonly schema?: Schema;
}

interface RawOperation {
  readonly operationId: string;
  readonly parameters?: readonly (Parameter | { readonly $ref: string })[];
  readonly responses: Readonly<Record<string, Response>>;
}

interface RawDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, RawOperation>>>>;
  readonly definitions: Readonly<Record<string, Schema>>;
  readonly parameters?: Readonly<Record<string, Parameter>>;
  readonly responses?: Readonly<Record<string, Response>>;
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Of the answers with a status of 2xx. */
  readonly answers: readonly Schema[];
}

/** A schema without references and allOf. */
export interface FlatSchema {
  readonly types: readonly string[];
  readonly properties: Readonly<Record<string, Schema>> | null;
  readonly additional: Schema | null;
  readonly items: Schema | null;
  /** The definitions that led here. */
  readonly through: readonly string[];
}

export class OpenApi {
  readonly version: ApiVersion;
  readonly operations: readonly Operation[];
  private readonly definitions: Readonly<Record<string, Schema>>;

  constructor(version: ApiVersion, source: string) {
    const raw = parse(mend(source)) as RawDocument;
    this.version = version;
    this.definitions = raw.definitions;
    this.operations = Object.entries(raw.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) =>
        method === 'parameters' ? [] : [operationOf(raw, method.toUpperCase(), path, operation)],
      ),
    );
  }

  flatten(schema: Schema, through: readonly string[] = []): FlatSchema {
    if (schema.$ref !== undefined) {
      const name = lastOf(schema.$ref);
      const definition = this.definitions[name];
      if (definition === undefined) throw new Error(`${this.version}: no definition ${name}`);
      return this.flatten(definition, [...through, name]);
    }
    const inherited = (schema.allOf ?? []).map((part) => this.flatten(part, through));
    const types = [...[schema.type ?? []].flat(), ...inherited.flatMap((part) => part.types)];
    const lists = [...inherited.map((part) => part.properties), schema.properties ?? null].filter(
      (one) => one !== null,
    );
    const { additionalProperties: more } = schema;
    return {
      types: [...new Set(types)],
      properties: lists.length === 0 ? null : Object.assign({}, ...lists),
      additional: typeof more === 'object' ? more : (inherited.find((part) => part.additional)?.additional ?? null),
      items: schema.items ?? inherited.find((part) => part.items)?.items ?? null,
      through: [...through, ...inherited.flatMap((part) => part.through)],
    };
  }
}

/** All documents of the folder, oldest first; null when there is no folder. */
export function readDocuments(folder = documentFolder): readonly OpenApi[] | null {
  if (!existsSync(folder)) return null;
  return readdirSync(folder)
    .flatMap((file) => {
      const version = /^v(1\.\d+)(?:-dev)?\.ya?ml$/.exec(file)?.[1] as ApiVersion | undefined;
      return version === undefined ? [] : [new OpenApi(version, readFileSync(`${folder}/${file}`, 'utf8'))];
    })
    .sort((one, other) => minorOf(one.version) - minorOf(other.version));
}

export function minorOf(version: ApiVersion): number {
  return Number(version.slice(2));
}

function operationOf(raw: RawDocument, method: string, path: string, operation: RawOperation): Operation {
  const parameters = (operation.parameters ?? []).map((one) => {
    if (!('$ref' in one) || one.$ref === undefined) return one as Parameter;
    return raw.parameters?.[lastOf(one.$ref)] as Parameter;
  });
  const answers = Object.entries(operation.responses).flatMap(([status, response]) => {
    const resolved = response.$ref === undefined ? response : raw.responses?.[lastOf(response.$ref)];
    return status.startsWith('2') && resolved?.schema !== undefined ? [resolved.schema] : [];
  });
  return { id: operation.operationId, method, path, parameters, answers };
}

function lastOf(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1);
}

/** The document of 1.25 breaks quoted texts over lines that are not indented: not YAML, so they are joined. */
function mend(source: string): string {
  return source.replace(
    /^(\s*[\w-]+: ")((?:[^"\\\n]|\\.)*(?:\n(?:[^"\\\n]|\\.)*)+)"$/gm,
    (_all, before: string, inside: string) => `${before}${inside.replace(/\s*\n\s*/g, ' ')}"`,
  );
}
