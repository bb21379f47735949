// gRPC: HTTP/2 with prior knowledge, protobuf.

import { createServerTransport } from "@zitadel/client/node";

import { flow } from "./flow.js";

flow(createServerTransport, 300);
