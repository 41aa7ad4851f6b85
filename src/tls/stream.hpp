// TLS over any world::Stream, so that the same code runs over TCP and over the simulator's network.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/task.hpp"
#include "base/time.hpp"
#include "crypto/tls.hpp"
#include "world/network.hpp"

namespace facteur::tls {

// An encrypted stream and what was agreed. Closing or destroying the stream does so to the one below, too.
struct Secured {
  std::unique_ptr<world::Stream> stream;
  crypto::TlsSummary summary;
};
using Accepted = Secured;

// The server's side: waits for the client's hello on `stream` and shakes hands. `alpn` as in TlsEngine::server. After
// STARTTLS, nothing of what was read in the clear may be kept (RFC 3207 §4.2; CVE-2011-0411).
// Fails with timed_out, closed (the peer went away or does not speak TLS); the stream is closed then.
Task<Result<Secured>> accept(std::unique_ptr<world::Stream> stream,
                             std::shared_ptr<const crypto::TlsServerContext> context, std::vector<std::string> alpn,
                             Instant deadline);

// The client's side. Fails also with Kind::refused when the peer's certificate does not verify and the context (or
// DANE) demands it.
Task<Result<Secured>> connect(std::unique_ptr<world::Stream> stream,
                              std::shared_ptr<const crypto::TlsClientContext> context,
                              crypto::TlsClientParameters parameters, Instant deadline);

}  // namespace facteur::tls
