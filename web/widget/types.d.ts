// The shapes of docs/decisions/0001-data-formats.md as the widget reads them.

export interface Config {
  site: string;
  origins: string[];
  locale?: string;
  api: string;
}

export interface Hello {
  locale?: string;
  page?: string;
  referrer?: string;
  handle?: string;
}

export interface Session {
  token: string;
  handle: string;
  cursor: string;
  locale?: string;
  ready: boolean;
  config: {
    brand?: string;
    assistant?: string;
    greeting?: { text: string };
    privacy_url?: string;
  };
}

export interface Content {
  type: string;
  text?: string;
  buttons?: { id: string; title: string }[];
  url?: string;
  alt?: string;
}

export interface Message {
  id: string;
  seq: number;
  cursor?: string;
  author: { kind: "customer" | "bot" | "agent" | "system"; name?: string };
  channel?: string;
  text?: string;
  content?: Content | null;
  at: number;
  status?: "sent" | "delivered" | "read" | "failed";
  redacted?: boolean;
}

export interface Pending {
  key: string;
  text: string;
  button?: string;
  at: number;
  state: "queued" | "sending" | "failed";
  reason?: string;
}

