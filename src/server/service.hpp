// What a protocol's driver is to the server: something that serves one accepted connection until it ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/task.hpp"
#include "base/wait.hpp"
#include "crypto/tls.hpp"
#include "observe/event.hpp"
#include "world/network.hpp"

namespace facteur::server {

// How the listener that took the connection is configured (one [[listener]] of the configuration).
struct ListenerParameters {
  enum class Protocol : std::uint8_t { exchanger, submission, lmtp, imap, pop3, metrics, control };
  Protocol protocol = Protocol::exchanger;
  bool implicit_tls = false;     // 465, 993, 995: TLS from the first octet.
  bool plaintext_login = false;  // Only ever true on a loopback address (DECISIONS.md 27).
  std::string hostname;          // What we call ourselves in greetings.
};

// One connection, given to Service::serve. All on the shard that accepted it.
struct Connection {
  std::unique_ptr<world::Stream> stream;
  ListenerParameters listener;
  std::shared_ptr<const crypto::TlsServerContext> tls;  // For STARTTLS; null: it is not offered.
  std::unique_ptr<crypto::TlsSummary> secured;          // Implicit TLS: the listener has shaken hands already.
  observe::Scope scope;                                 // Carries trace id, peer, listener.
  Wakeup* drain;                                        // Fires when the server stops: say 421 or BYE, and end.
  // Set once the client has logged in or handed a message over: until then it is the first to go when places run out.
  bool* proven = nullptr;

  void prove() const {
    if (proven != nullptr) *proven = true;
  }
};

class Service {
 public:
  virtual ~Service() = default;

  // Ends when the connection is closed. Throws nothing but Bug and bad_alloc (the listener catches and logs).
  virtual Task<void> serve(Connection connection) = 0;
};

}  // namespace facteur::server
