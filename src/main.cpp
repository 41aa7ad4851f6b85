// The program: everything is a subcommand of `facteur` (cli/).
#include "cli/run.hpp"

int main(int argc, char** argv) { return facteur::cli::run(argc, argv); }
