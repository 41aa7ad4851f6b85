// One of the two mail providers of the demonstration: its configuration file, data folder, engine and server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cli/dialogue.hpp"
#include "cli/site.hpp"

namespace facteur::cli {

// What tells the two apart.
struct DemoProvider {
  std::string name;     // "free"
  std::string domain;   // "free.example"
  std::string address;  // "127.0.0.2"
  std::string user;     // "fred"
  std::string full_name;

  std::string host(std::string_view service) const { return std::string(service) + "." + domain; }
  std::string mailbox() const { return user + "@" + domain; }
};

struct DemoPlace {
  std::string folder;
  std::uint16_t base_port = 10000;

  std::uint16_t port(unsigned usual) const { return static_cast<std::uint16_t>(base_port + usual); }
};

// facteur.toml of one provider: what `facteur serve -c` would need to be the same server.
std::string demo_configuration(const DemoProvider& provider, const DemoPlace& place);
// The zone both ask: MX and addresses of all providers.
std::string demo_zone(const std::vector<DemoProvider>& providers);

class DemoOffice {
 public:
  DemoOffice(const DemoProvider& provider, const DemoPlace& place, observe::Language language)
      : provider_(provider), place_(place), language_(language) {}

  // What happens on the way out, for the eyes of the audience.
  struct Show {
    std::function<void(std::string question, std::string answer)> name_asked;
    std::function<void(const Endpoint&)> connecting;
  };

  Result<void> open(host::World& world);                    // Before the world runs. Needs the configuration's file.
  Task<Result<void>> start(host::World& world, Show show);  // On shard 0. Adds the user.
  Task<void> stop();                                        // On shard 0.

  Task<std::string> command(std::string request) { return server_->command(std::move(request)); }
  const config::Config& config() const { return *config_; }

 private:
  DemoProvider provider_;
  DemoPlace place_;
  observe::Language language_;
  std::shared_ptr<const config::Config> config_;
  std::unique_ptr<host::Disk> disk_;
  std::unique_ptr<store::EmbeddedEngine> engine_;
  std::unique_ptr<ShowingNetwork> network_;
  std::unique_ptr<TellingResolver> resolver_;
  std::unique_ptr<server::Server> server_;
};

inline constexpr std::string_view demo_password = "facteur";

}  // namespace facteur::cli
