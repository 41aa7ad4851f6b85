// The program: everything is a subcommand of `facteur` (cli/).
int main() { return 0; }
