// The part of OpenAPI v3 that a structural schema of a CustomResourceDefinition may use.

/** What restricts a value without saying what it is: all that may stand inside anyOf, oneOf, allOf and not. */
export interface ValueValidation {
  enum?: readonly unknown[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  required?: readonly string[];
  properties?: Record<string, ValueValidation>;
  items?: ValueValidation;
  anyOf?: readonly ValueValidation[];
  oneOf?: readonly ValueValidation[];
  not?: ValueValidation;
}

export interface StructuralSchema extends ValueValidation {
  description?: string;
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  nullable?: true;
  properties?: Record<string, StructuralSchema>;
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema;
  "x-kubernetes-preserve-unknown-fields"?: true;
  "x-kubernetes-int-or-string"?: true;
}
