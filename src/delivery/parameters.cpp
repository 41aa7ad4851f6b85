#include <utility>

#include "delivery/delivery.hpp"

namespace facteur::delivery {

Parameters parameters_from(const config::Config& config) {
  Parameters out;
  out.hostname = config.hostname;
  out.postmaster = config.postmaster;
  out.our_names = {config.hostname};
  for (const auto& listener : config.listeners) {
    if (listener.protocol == config::Listener::Protocol::exchanger) out.our_addresses.push_back(listener.address);
  }
  out.port = config.delivery.port;
  out.source = config.delivery.source_address;
  out.concurrency = config.delivery.concurrency;
  out.concurrency_per_destination = config.delivery.concurrency_per_destination;
  out.messages_per_connection = config.delivery.messages_per_connection;
  out.connect_timeout = config.delivery.connect_timeout;
  out.dns_timeout = config.dns.timeout;
  out.drain_timeout = config.limits.drain_timeout;
  out.tls = config.delivery.tls;
  out.allow_loopback = config.delivery.allow_loopback;
  if (const auto& smarthost = config.delivery.smarthost) {
    out.smarthost_implicit_tls = smarthost->tls == config::Smarthost::Tls::implicit;
    out.smarthost_tls_required = smarthost->tls != config::Smarthost::Tls::opportunistic;
    out.smarthost_login = smarthost->login;
    out.smarthost_password = smarthost->password;
  }
  if (!config.queue.retry.empty()) out.retry = config.queue.retry;
  out.expiry = config.queue.expiry;
  out.bounce_expiry = config.queue.bounce_expiry;
  out.delay_notice = config.queue.delay_notice;
  return out;
}

routing::Parameters routing_from(const config::Config& config) {
  routing::Parameters out;
  out.hostname = config.hostname;
  out.postmaster = config.postmaster;
  for (const auto& listener : config.listeners) out.our_addresses.push_back(listener.address);
  out.relay_domains = config.delivery.relay_domains;
  using Kind = routing::NextHop::Kind;
  for (const auto& route : config.delivery.routes) {
    const bool lmtp = route.protocol == config::Route::Protocol::lmtp;
    out.routes.push_back({route.domains, {Kind::server, route.host, route.port, lmtp}});
  }
  if (const auto& smarthost = config.delivery.smarthost) {
    out.smarthost = routing::NextHop{Kind::smarthost, smarthost->host, smarthost->port, false};
  }
  return out;
}

}  // namespace facteur::delivery
