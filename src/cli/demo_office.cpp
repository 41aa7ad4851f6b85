#include "cli/demo_office.hpp"

#include <fmt/format.h>
#include <boost/json.hpp>

#include "config/load.hpp"

namespace facteur::cli {

std::string demo_configuration(const DemoProvider& provider, const DemoPlace& place) {
  std::string out = fmt::format(
      "# Made by facteur demo. The same server alone: facteur serve -c {0}/{1}.toml\n"
      "hostname = \"{2}\"\ndomains = [\"{3}\"]\npostmaster = \"{4}\"\n\n"
      "[server]\ndata = \"{0}/{1}\"\n\n"
      "[limits]\ndrain_timeout = \"2s\"\n\n"
      "# Names are answered from this file, no question leaves the machine.\n"
      "[dns]\nmode = \"zone\"\nzone_file = \"{0}/zone\"\n\n"
      "# Other servers listen on {5} here instead of 25; without TLS the dialogue can be read.\n"
      "[delivery]\nport = {5}\nsource_address = \"{6}\"\nallow_loopback = true\ntls = false\n",
      place.folder, provider.name, provider.host("smtp"), provider.domain, provider.mailbox(), place.port(25),
      provider.address);
  const auto listener = [&](std::string_view protocol, unsigned usual, std::string_view tls, bool login) {
    out += fmt::format("\n[[listener]]\nprotocol = \"{}\"\naddress = \"{}\"\nport = {}\ntls = \"{}\"\n{}", protocol,
                       provider.address, place.port(usual), tls, login ? "plaintext_login = true\n" : "");
  };
  listener("exchanger", 25, "starttls", false);
  listener("submission", 587, "starttls", true);
  listener("submission", 465, "implicit", false);
  listener("pop3", 110, "starttls", true);
  listener("pop3", 995, "implicit", false);
  listener("imap", 143, "starttls", true);
  listener("imap", 993, "implicit", false);
  return out;
}

std::string demo_zone(const std::vector<DemoProvider>& providers) {
  std::string out;
  for (const auto& p : providers) {
    out += fmt::format("{}. 300 IN MX 10 {}.\n", p.domain, p.host("smtp"));
    for (const auto* service : {"smtp", "pop", "imap"}) {
      out += fmt::format("{}. 300 IN A {}\n", p.host(service), p.address);
    }
  }
  return out;
}

Result<void> DemoOffice::open(host::World& world) {
  auto loaded = config::load(place_.folder + "/" + provider_.name + ".toml");
  if (!loaded.good()) {
    return failure(Failure::Kind::permanent, "F-6220", "The demonstration's configuration is not good",
                   config::to_string(loaded.problems));
  }
  config_ = std::make_shared<const config::Config>(std::move(loaded.config));
  auto disk = host::Disk::open_root(config_->server.data);
  if (!disk) return failed(disk);
  disk_ = std::move(*disk);
  auto locked = disk_->lock();
  if (!locked) return failed(locked);
  if (!*locked)
    return failure(Failure::Kind::refused, "F-6221", "Another demonstration uses this folder", place_.folder);
  auto engine = open_store(world, *disk_, *config_, observe::Scope(world.log).with("server", provider_.name));
  if (!engine) return failed(engine);
  engine_ = std::move(*engine);
  return {};
}

Task<Result<void>> DemoOffice::start(host::World& world, Show show) {
  network_ = std::make_unique<ShowingNetwork>(world.network, place_.port(25), language_, std::move(show.connecting));
  resolver_ = std::make_unique<TellingResolver>(*world.resolver, std::move(show.name_asked));
  server::Doors doors{.clock = world.clock,
                      .network = *network_,
                      .disk = *disk_,
                      .random = world.random,
                      .shards = world.shards,
                      .resolver = *resolver_,
                      .read_file = read_file};
  const std::string path = place_.folder + "/" + provider_.name + ".toml";
  server_ = std::make_unique<server::Server>(std::move(doors), world.log, *engine_, engine_->instance(), config_,
                                             [path] { return config::load(path); });
  auto started = co_await server_->start();
  if (!started) co_return failed(started);
  boost::json::object request{{"command", "account.add"},
                              {"address", provider_.mailbox()},
                              {"name", provider_.full_name},
                              {"password", demo_password}};
  const std::string reply = co_await server_->command(boost::json::serialize(request));
  // With --keep the account is there from the last time.
  if (reply.find("\"ok\":true") == std::string::npos && reply.find("exists already") == std::string::npos) {
    co_return failure(Failure::Kind::permanent, "F-6222", "The account cannot be added", reply);
  }
  co_return Result<void>();
}

Task<void> DemoOffice::stop() {
  if (server_) {
    co_await server_->stop();
    server_.reset();
  }
  if (engine_) co_await engine_->close();
}

}  // namespace facteur::cli
