// gRPC-Web: HTTP/1.1, protobuf, the trailers in the body.

import { createClientTransport } from "@zitadel/client/web";

import { flow } from "./flow.js";

flow(createClientTransport, 400);
