# The commands of homcc 1.x: the packages land in target/.
.PHONY: all homcc homccd clean

all:
	npm run --silent deb

homcc homccd:
	npm run --silent deb -- $@

clean:
	rm -rf target
