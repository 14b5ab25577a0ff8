// The shapes of docs/decisions/0001 and 0003 as the widget reads them.

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
  identity?: string;
}

export interface Field {
  key: string;
  label: string;
  type: "text" | "email" | "tel" | "choice";
  required?: boolean;
  options?: string[];
}

export interface UploadLimits {
  most_bytes: number;
  most_files: number;
  types: string[];
}

export interface Session {
  token: string;
  handle: string;
  cursor: string;
  locale?: string;
  ready: boolean;
  visitor?: { verified: boolean; name?: string };
  restarted?: boolean;
  config: {
    brand?: string;
    assistant?: string;
    greeting?: { text: string };
    privacy_url?: string;
    notice?: { text: string; url?: string; must_accept?: boolean } | null;
    form?: Field[];
    upload?: UploadLimits | null | false;
    color?: string;
    unread?: number;
    reply_time?: string;
    links?: { channel: string; account: string }[];
  };
}

export interface Choice {
  id: string;
  title: string;
}

export interface Card {
  title: string;
  text?: string;
  image?: string;
  url?: string;
  buttons?: Choice[];
}

export interface Content {
  type: string;
  text?: string;
  buttons?: Choice[];
  rows?: (Choice & { description?: string })[];
  cards?: Card[];
  action?: string;
  accounts?: string[];
  url?: string;
  alt?: string;
  name?: string;
  latitude?: number;
  longitude?: number;
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
  upload?: string;
  content?: Content;
  at: number;
  state: "queued" | "sending" | "failed";
  reason?: string;
}
