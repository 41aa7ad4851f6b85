// The driver of SMTP and LMTP: moves octets between a connection and smtp::ServerSession, and answers its questions
// from the reception and the authenticator.
#pragma once

#include <memory>

#include "config/schema.hpp"
#include "directory/authenticator.hpp"
#include "reception/reception.hpp"
#include "server/service.hpp"
#include "world/clock.hpp"
#include "world/random.hpp"

namespace facteur::server {

// What the service works with; all of it outlives the service.
struct SmtpDoors {
  reception::Reception& reception;
  directory::Authenticator& authenticator;
  world::Clock& clock;
  world::Random& random;
};

// One for all shards: it keeps nothing between connections. Which of exchanger, submission and LMTP a connection gets
// is said by its listener.
std::unique_ptr<Service> make_smtp_service(SmtpDoors doors, const config::Limits& limits, const config::Smtp& smtp);

}  // namespace facteur::server
