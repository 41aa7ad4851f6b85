// What the keeper and the processes it starts say to each other over sockets that keep messages apart: one octet,
// sometimes with a descriptor (and the reports of violation.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "roles/sandbox.hpp"

namespace facteur::roles {

// From both: it has started; it is alive. From the server: what is there by the configuration as it is now; that
// configuration is in force; it is not. From the keys: why they cannot start (text behind it). To the server: a socket;
// that was the last one, and why the keys of this configuration cannot be had, if so (text behind it).
enum class Message : char {
  started = 'S',
  alive = 'A',
  ports = 'P',
  taken = 'T',
  not_taken = 'N',
  reason = 'R',
  socket = 'F',
  last = 'E',
};

inline constexpr std::size_t longest_text = 1000;  // It is cut there.

void send(int channel, Message message, std::string_view text = {});
void send_socket(int channel, int fd);

struct Prepared {
  std::vector<int> sockets;  // That are new.
  std::string problem;       // Why the keys cannot be had; empty: they are there.
};
// Lets the keeper read the configuration again: it binds what is new, and starts the keys anew. Waits at most 15
// seconds for each answer.
Prepared ask_to_prepare(int keeper);

// "server CHANNELS SOCKETS SHARDS KEEPER KEPT": descriptors from 3 on, the process number of the keeper, whether a file
// with a configuration is behind them.
inline constexpr const char* role_variable = "FACTEUR_ROLE";

// What a process got from the keeper.
struct Inherited {
  Role role = Role::server;
  int keeper = -1;             // The channel to the keeper.
  int keeper_process = 0;      // Its number: 1 in a container of its own.
  std::vector<int> channels;   // Between keys and server, each side one end.
  std::vector<int> listening;  // The server's listening sockets,
  unsigned shards = 0;         // for so many shards.
  // The last configuration that was good, as KeeperOptions::configuration gave it: the one on the disk is not.
  std::optional<std::string> configuration{};
};

// Nothing if this process was not started by a keeper. Takes it out of the environment; no child gets the descriptors.
std::optional<Inherited> inherited();

// Ends this process when the keeper ends, by SIGTERM; keys, which keep nothing, at once. For both roles, first of all.
void end_with_keeper(const Inherited& inherited);

}  // namespace facteur::roles
